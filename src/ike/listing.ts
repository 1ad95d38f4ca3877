/** Tables in which one entry a key is the rule and more are the exception: a list only then. */
export type Listing<T extends object> = Map<string, T | T[]>;

export function add<T extends object>(listing: Listing<T>, key: string, one: T): void {
  const there = listing.get(key);
  if (there === undefined) listing.set(key, one);
  else if (Array.isArray(there)) there.push(one);
  else listing.set(key, [there, one]);
}

export function remove<T extends object>(listing: Listing<T>, key: string, one: T): void {
  const there = listing.get(key);
  if (there === one) listing.delete(key);
  if (!Array.isArray(there)) return;
  const left = there.filter((other) => other !== one);
  if (left.length === 0) listing.delete(key);
  else listing.set(key, left);
}

export function listed<T extends object>(listing: Listing<T>, key: string): readonly T[] {
  const there = listing.get(key);
  return there === undefined ? [] : Array.isArray(there) ? there : [there];
}
