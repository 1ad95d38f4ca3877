/**
 * Hard limits on what a peer may make us decode. No RFC names them; each is well above what real peers send and far below
 * what hurts. More than a limit is Malformed, never a truncated list.
 */
export const limits = {
  /** octets of a message, of a reassembled inner chain too: chains of four RSA-4096 certificates stay under 10 kB */
  message: 16_384,
  /** payloads in one chain; FortiClient sends 9, a peer with a long certificate chain about 20 */
  payloads: 64,
  proposals: 64,
  /** per proposal */
  transforms: 128,
  /** of one transform; one is defined (Key Length) */
  transformAttributes: 8,
  /** the count is one octet */
  selectors: 255,
  /** configuration attributes of a request; FortiClient asks for 17 */
  attributes: 64,
  /** configuration attributes of a reply: one per split-include prefix, and those are many */
  replyAttributes: 512,
  /** SPIs in one Delete payload */
  spis: 256,
  /** hash algorithms in SIGNATURE_HASH_ALGORITHMS */
  hashAlgorithms: 64,
  /** Total Fragments of RFC 7383 §2.5 */
  fragments: 255,
  /** octets of FORTICLIENT_CONNECT data that are looked at; real ones have 205 to 370 */
  claims: 4096,
  claimFields: 32,
  claimKey: 32,
  claimValue: 256,
} as const;
