/** A date without the operating system's help: the calendar, counted in eras of 400 years that begin in March. */

const DAYS = { era: 146_097, century: 36_524, leap: 1460, toEpoch: 719_468 } as const;

/** '2026-11-27 08:14:53' (UTC) of seconds since 1970. */
export function utcText(unix: number): string {
  const days = Math.floor(unix / 86_400);
  const second = Math.floor(unix) - days * 86_400;
  const era = Math.floor((days + DAYS.toEpoch) / DAYS.era);
  const ofEra = days + DAYS.toEpoch - era * DAYS.era;
  const leaps = Math.floor(ofEra / DAYS.leap) - Math.floor(ofEra / DAYS.century) + Math.floor(ofEra / (DAYS.era - 1));
  const year = Math.floor((ofEra - leaps) / 365);
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const date = [era * 400 + year + (month <= 2 ? 1 : 0), month, day].map(two).join('-');
  return `${date} ${[second / 3600, (second % 3600) / 60, second % 60].map(two).join(':')}`;
}

const two = (n: number): string => `${Math.floor(n)}`.padStart(2, '0');
