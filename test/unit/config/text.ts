/** Configurations to start from: a dial-up gateway about which there is nothing to say, and short forms of findings. */
import { type Finding, loadConfig, type Profile } from '../../../src/config/index.ts';

/** A whole configuration with one gateway, `dialup`; the lines go into its phase 1, `more` stands before it. */
export const gateway = (lines: readonly string[] = [], more = ''): string => `${more}
config system interface
    edit "wan1"
        set ip 192.0.2.1 255.255.255.0
    next
end
config vpn ipsec phase1-interface
    edit "dialup"
        set type dynamic
        set ike-version 2
        set interface "wan1"
        set psksecret "correct horse"
${lines.map((line) => `        ${line}`).join('\n')}
    next
end
config vpn ipsec phase2-interface
    edit "all"
        set phase1name "dialup"
    next
end
`;

/** The findings of a text as 'level code: message'. */
export const told = (text: string): readonly string[] => loadConfig(text).findings.map(short);
export const short = ({ level, code, message }: Finding): string => `${level} ${code}: ${message}`;
/** As 'line:column word'. */
export const places = (text: string): readonly string[] =>
  loadConfig(text).findings.map(({ line, column, word }) => `${line}:${column} ${word}`);

/** The only profile of a text without errors. */
export function profileOf(text: string): Profile {
  const { config, findings } = loadConfig(text);
  const errors = findings.filter(({ level }) => level === 'error').map(short);
  const [profile] = config.profiles;
  if (errors.length > 0 || profile === undefined) throw new Error(`no usable profile: ${errors.join('; ')}`);
  return profile;
}

/** Users and a group for EAP. */
export const users = `config user local
    edit "alice"
        set passwd "wonderland"
    next
    edit "bob"
        set passwd "builder"
    next
end
config user group
    edit "staff"
        set member "alice"
    next
end
`;
