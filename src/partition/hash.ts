// A 64-bit hash in two 32-bit lanes, for rendezvous scores and state hashes. Deterministic on every
// engine: integer multiplications and IEEE basic operations only. Not for secrets.
// Mixing steps: MurmurHash3's 32-bit finalizer (Appleby), one constant set per lane.

/** Two unsigned 32-bit lanes. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

function mixHigh(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function mixLow(h: number): number {
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}

/** Hash of a byte string. */
export function hashBytes(bytes: Uint8Array): Hash64 {
  let high = 0x9747b28c ^ bytes.length;
  let low = 0x3c6ef372 ^ bytes.length;
  for (let i = 0; i < bytes.length; i += 4) {
    const word = bytes[i] | (bytes[i + 1] ?? 0) << 8 | (bytes[i + 2] ?? 0) << 16 |
      (bytes[i + 3] ?? 0) << 24;
    high = Math.imul(mixHigh(high ^ word), 5) + 0xe6546b64 | 0;
    low = Math.imul(mixLow(low ^ word), 9) + 0x52dce729 | 0;
  }
  return { high: mixHigh(high ^ low >>> 7), low: mixLow(low ^ high >>> 11) };
}

/** Hash of `seed` and one integer: a well-mixed draw for every pair. */
export function hashWith(seed: Hash64, integer: number): Hash64 {
  const high = mixHigh(seed.high ^ Math.imul(integer, 0x9e3779b1));
  const low = mixLow(seed.low + Math.imul(integer, 0x85ebca77) ^ high);
  return { high: mixHigh(high ^ low), low };
}

/** The hash as 16 lower-case hex digits. */
export function hexOfHash(hash: Hash64): string {
  return hash.high.toString(16).padStart(8, "0") + hash.low.toString(16).padStart(8, "0");
}

/** The hash as a number in (0, 1): its top 52 bits, centred so that neither end is reached. */
export function unitOfHash(hash: Hash64): number {
  return (hash.high * 2 ** 20 + (hash.low >>> 12) + 0.5) / 2 ** 52;
}

/**
 * ln(x) for x in (0, 1], from IEEE basic operations alone. `Math.log` may differ in its last bit
 * between engines, and nodes must agree on every comparison of scores. Error below 1e-14.
 */
export function naturalLog(x: number): number {
  let exponent = 0;
  while (x < Math.SQRT1_2) {
    x *= 2;
    exponent--;
  }
  // ln(x) = 2 artanh(z), z = (x - 1) / (x + 1); |z| <= 0.172, so z^19 ends below 1e-14.
  const z = (x - 1) / (x + 1);
  const z2 = z * z;
  let sum = 0;
  for (let k = 19; k >= 1; k -= 2) sum = sum * z2 + 1 / k;
  return 2 * z * sum + exponent * Math.LN2;
}
