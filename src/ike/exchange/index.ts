/** All exchanges that need an SA. No two fit one message: a property test says so. */
import type { Exchange } from '../exchange.ts';
import { authEap } from './authEap.ts';
import { authFinal } from './authFinal.ts';
import { authFull, authStart } from './authStart.ts';
import { createChild } from './createChild.ts';
import { informational, informationalClosed, informationalEarly } from './informational.ts';
import { rekeyIke } from './rekeyIke.ts';

export const exchanges: readonly Exchange[] = [
  authStart,
  authFull,
  authEap,
  authFinal,
  createChild,
  rekeyIke,
  informational,
  informationalEarly,
  informationalClosed,
];
