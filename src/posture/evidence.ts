/**
 * What the gate is told before it judges: who the device says it is, what each EMS said about it, what its own token said.
 * Whoever makes these values has looked, verified and waited; nobody but the gate decides.
 */
import type { PostureTag } from './tag.ts';

/** Seconds since 1970. */
export type UnixTime = number;

/** How the device was looked for. A UID is a claim of whoever knows a password; an address may be anybody's. */
export type DeviceClaim =
  | {
      readonly by: 'uid';
      readonly uid: string;
      /** `IP=` of FORTICLIENT_CONNECT: the device's own address, as it says. */
      readonly ip: string | undefined;
      /** CN and serial number (capital hexadecimal digits) of the certificate that the client proved to hold. */
      readonly certificate: { readonly cn: string; readonly serial: string } | undefined;
    }
  /** ID_IPV4_ADDR, or the source address where no NAT is between. */
  | { readonly by: 'id-address' | 'source-address'; readonly address: string }
  | { readonly by: 'nothing'; readonly why: string };

/** One device as its EMS keeps it: what the gate looks at. */
export type DeviceRecord = {
  readonly uid: string;
  readonly registered: boolean;
  readonly quarantined: boolean;
  readonly tags: readonly PostureTag[];
  /** The device's own addresses, RFC 5952 text. */
  readonly addresses: readonly string[];
  /** Serial number of its ZTNA certificate, capital hexadecimal digits; '' when EMS does not know one. */
  readonly certSn: string;
  /** When EMS last changed it: its tags, quarantine or registration. */
  readonly changed: UnixTime;
};

/** What one EMS says. It answers, or it is silent: slow, refused, unreachable and out of date are all silence. */
export type EmsReport = { readonly ems: number; readonly name: string } & (
  | {
      readonly kind: 'known';
      readonly record: DeviceRecord;
      /** When this was EMS' word, and when it ceases to be (`out-of-sync-threshold`). */
      readonly asOf: UnixTime;
      readonly until: UnixTime;
    }
  | { readonly kind: 'unknown'; readonly asOf: UnixTime; readonly until: UnixTime }
  /** More than one device fits: none is taken. */
  | { readonly kind: 'ambiguous'; readonly count: number; readonly asOf: UnixTime; readonly until: UnixTime }
  | {
      readonly kind: 'silent';
      readonly why: string;
      /** What it last said of this device, however old. */
      readonly last: { readonly record: DeviceRecord; readonly asOf: UnixTime } | undefined;
    }
);

/** What the client's own token said. `valid` means: signed by that EMS, in date when it was looked at. */
export type TokenReport =
  | {
      readonly kind: 'valid';
      /** Whose key signed it. */
      readonly ems: number;
      readonly uid: string;
      readonly tags: readonly PostureTag[];
      /** Capital hexadecimal digits, '' when it names none. */
      readonly certSn: string;
      readonly issued: UnixTime;
      readonly until: UnixTime;
    }
  | { readonly kind: 'bad'; readonly why: string }
  /** FCTTAGS=1: it will come, and this is how long we wait. */
  | { readonly kind: 'announced'; readonly by: UnixTime }
  | { readonly kind: 'none' };

export type Evidence = {
  readonly device: DeviceClaim;
  /** The number of the EMS that EMSSN and EMSID name; undefined when the client names none. */
  readonly home: { readonly ems: number } | { readonly unknown: string } | undefined;
  /** One for each EMS that a wanted tag or the client names. */
  readonly reports: readonly EmsReport[];
  readonly token: TokenReport;
};

/** What is asked about one client; the answer is Evidence. */
export type PostureQuestion = {
  readonly rule: GateRule;
  readonly device: DeviceClaim;
  /** EMSSN and EMSID, as the client names them. */
  readonly named: { readonly serial: string; readonly tenant: string | undefined } | undefined;
  /** The token as it came, not looked at. */
  readonly token: Uint8Array | undefined;
  /** FCTTAGS=1: until when we wait for one. */
  readonly announcedBy: UnixTime | undefined;
};

/** What a profile demands. */
export type GateRule = {
  readonly tags: readonly PostureTag[];
  /** `ems-sn-check`: EMSSN and EMSID must name a configured EMS. */
  readonly emsSnCheck: boolean;
  /** A device that EMS does not know: denied, or its token may speak (an EMS that shares only part of its devices). */
  readonly unknownDevice: 'deny' | 'token';
  /** What ties a claimed UID to the device. `address`: an address that EMS knows, or the certificate. */
  readonly uidBinding: 'address' | 'certificate' | 'warn';
};

/** Another live SA with the same UID, of another user. */
export type Rival = { readonly user: string };
