/**
 * Lines of IKE_AUTH: identities, EAP, signatures, the posture gate. FortiOS' words where they are known (the
 * administration guide's posture examples and 7.4/7.6 debug output); `ours` where they are not.
 */
import { addressText } from '../../wire/index.ts';
import { line, type Phrase } from './phrase.ts';

export const receivedAuth = (): Phrase => line`responder received AUTH msg`;
export const receivedEap = (): Phrase => line`responder received EAP msg`;
export const peerIdentifier = (type: string, text: string): Phrase =>
  type === 'IPV4_ADDR' || type === 'IPV6_ADDR'
    ? line`peer identifier ${type} ${text}`
    : line`received peer identifier ${type} '${text}'`;
export const eapPeer = (): Phrase => line`eap-peer=yes`;
export const revalidate = (): Phrase => line`re-validate gw ID`;
export const validationOk = (): Phrase => line`gw validation OK`;
export const validationFailed = (why: string): Phrase => line`gw validation failed: ${why}`;
/** ours: FortiOS switches silently. */
export const gatewaySwitched = (from: string, to: string): Phrase =>
  line`gateway ${from} does not fit this peer, going on as ${to}`;
export const preparingIdentity = (): Phrase => line`responder preparing EAP identity request`;
export const preparingEap = (): Phrase => line`responder preparing EAP pass through message`;
export const sendToBackend = (): Phrase => line`send EAP message to FNBAM`;
export const initiatingEap = (): Phrase => line`initiating EAP authentication`;
export const eapUser = (user: string): Phrase => line`EAP user "${user}"`;
export const authGroup = (group: string): Phrase => line`auth group ${group}`;
export const eapResult = (result: string): Phrase => line`EAP result ${result}`;
export const eapChallenged = (user: string): Phrase => line`EAP challenged for user "${user}"`;
export const eapSucceeded = (user: string, group: string): Phrase =>
  line`EAP succeeded for user "${user}" group "${group}" 2FA=no`;
export const eapFailed = (user: string): Phrase => line`EAP failed for user "${user}"`;
/** ours: FortiOS leaves the reason to another daemon's log. */
export const eapWhy = (why: string): Phrase => line`EAP: ${why}`;
export const authVerified = (): Phrase => line`auth verify done`;
export const authContinuation = (): Phrase => line`responder AUTH continuation`;
export const authSucceeded = (): Phrase => line`authentication succeeded`;
export const authFailed = (): Phrase => line`authentication failed`;
export const pskMismatch = (): Phrase => line`PSK auth failed: probable pre-shared key mismatch`;
export const expiring = (why: string): Phrase => line`connection expiring due to ${why}`;
export const goingToBeDeleted = (): Phrase => line`going to be deleted`;
export const negotiationTimeout = (): Phrase => line`negotiation timeout, deleting`;

export const validatingCertificate = (): Phrase => line`Validating X.509 certificate`;
export const peerCertificate = (subject: string, issuer: string): Phrase =>
  line`peer cert, subject='${subject}', issuer='${issuer}'`;
export const peerIdVerified = (): Phrase => line`peer ID verified`;
export const certificatePending = (): Phrase => line`certificate validation pending`;
export const certificateSucceeded = (): Phrase => line`certificate validation succeeded`;
export const certificateFailed = (why: string): Phrase => line`certificate validation failed: ${why}`;
export const peerMatched = (name: string): Phrase => line`fnbam matched peer '${name}'`;
export const signatureSucceeded = (how: string): Phrase => line`signature verification succeeded (${how})`;

export const connectData = (octets: number, text: string): Phrase =>
  line`received FCT data len = ${octets}, data = '${text === '' ? '' : `${text}\n`}'`;
export const connectUid = (uid: string): Phrase => line`received FCT-UID : ${uid}`;
export const connectEms = (serial: string): Phrase => line`received EMS SN : ${serial}`;
export const connectTenant = (tenant: string): Phrase => line`received EMS tenant ID : ${tenant}`;

export const emsTagsSuccess = (tag: string): Phrase => line`EMS ZTNA tags check success ${tag}`;
export const tokenTagsSuccess = (tag: string): Phrase => line`EMS ZTNA token tags check success ${tag}`;
export const emsTagsFailure = (): Phrase => line`EMS ZTNA tags check failure, abort`;
export const emsSnPassed = (): Phrase => line`EMS SN check passed`;
/** ours: FortiOS' words are not known. */
export const emsSnFailed = (): Phrase => line`EMS SN check failure, abort`;
export const tokenData = (octets: number, claims: string): Phrase =>
  line`received ZTNA tags update token (len=${octets}) data=${claims}`;
/** ours: what an operator may pin. */
export const tokenNumber = (number: number): Phrase =>
  line`notify type ${number} carries a ZTNA token: 'config postern posture', 'set ztna-tag-notify ${number}' pins it`;
export const sendTagsSuccess = (): Phrase => line`send EMS_ZTNA_TAGS_CHECK_SUCCESS`;
export const tunnelUpSent = (uid: string, instance: string, address?: Uint8Array): Phrase =>
  line`sent tunnel-up message to EMS: (fct-uid=${uid}, intf=${instance}, addr=${inner(address)}, vdom=root)`;
export const tunnelDownSent = (uid: string, instance: string, address?: Uint8Array): Phrase =>
  line`sent tunnel-down message to EMS: (fct-uid=${uid}, intf=${instance}, addr=${inner(address)}, vdom=root)`;
const inner = (address: Uint8Array | undefined): string => addressText(address ?? new Uint8Array(4));
/** ours: a profile may soften what losing the posture does. */
export const postureRestrained = (action: string): Phrase => line`posture lost: the tunnel stays (posture-lost ${action})`;
/** ours: which rule decided, and on whose word. */
export const postureWhy = (why: string): Phrase => line`posture: ${why}`;
export const tagsCheckFailed = (): Phrase => line`Negotiate SA Error: EMS ZTNA tags check failed`;
export const sendingTagsFailure = (): Phrase => line`sending IKE_AUTH ZTNA TAGS check failure notification response`;
export const preparingAuth = (): Phrase => line`responder preparing AUTH msg`;
/** ours: what the client is told, and in how many words. */
export const refusing = (notify: string, why: string): Phrase => line`refused with ${notify}: ${why}`;
export const refusingSilently = (why: string): Phrase => line`refused without an answer (quiet-auth-failures): ${why}`;
