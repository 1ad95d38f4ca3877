import { describe, expect, it } from 'vitest';
import * as wire from '../../../src/wire/index.ts';

const registries = [
  ['Exchange', wire.Exchange, wire.exchangeName],
  ['PayloadType', wire.PayloadType, wire.payloadName],
  ['Protocol', wire.Protocol, wire.protocolName],
  ['TransformType', wire.TransformType, wire.transformTypeName],
  ['Encr', wire.Encr, wire.encrName],
  ['Prf', wire.Prf, wire.prfName],
  ['Integ', wire.Integ, wire.integName],
  ['DhGroup', wire.DhGroup, wire.dhGroupName],
  ['Esn', wire.Esn, wire.esnName],
  ['IdType', wire.IdType, wire.idTypeName],
  ['AuthMethod', wire.AuthMethod, wire.authMethodName],
  ['HashAlgorithm', wire.HashAlgorithm, wire.hashAlgorithmName],
  ['CertEncoding', wire.CertEncoding, wire.certEncodingName],
  ['CfgType', wire.CfgType, wire.cfgTypeName],
  ['CfgAttribute', wire.CfgAttribute, wire.cfgAttributeName],
  ['EapCode', wire.EapCode, wire.eapCodeName],
  ['EapType', wire.EapType, wire.eapTypeName],
] as const;

describe.each(registries)('%s', (_, registry, nameOf) => {
  it('gives every number one label, and back', () => {
    for (const [label, n] of Object.entries(registry)) expect(nameOf(n)).toBe(label);
  });

  it('tells a number that has no label as a number', () => {
    expect(nameOf(60000)).toBe('60000');
    expect(nameOf(-1)).toBe('-1');
  });
});

describe('transform names', () => {
  it.each([
    [1, 12, 'AES_CBC'],
    [2, 5, 'HMAC_SHA2_256'],
    [3, 12, 'HMAC_SHA2_256_128'],
    [4, 31, 'CURVE25519'],
    [5, 1, 'ESN'],
    [6, 36, 'ML_KEM_768'],
    [4, 999, '999'],
    [99, 12, '12'],
    [0, 12, '12'],
  ])('type %i, ID %i is %s', (type, id, label) => {
    expect(wire.transformName(type, id)).toBe(label);
  });
});
