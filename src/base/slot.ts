// Which hash slot a key belongs to: CRC16-XMODEM of the key, or of its hash tag, as in Redis Cluster, so
// that its users' tags and tools carry over.

/** Number of hash slots; the partition map divides them. */
export const SLOT_COUNT = 16384;

const TABLE = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  TABLE[byte] = crc;
}

/** CRC16-XMODEM (polynomial 0x1021, initial value 0) of `key[start, end)`, one byte a character. */
export function crc16(key: string, start = 0, end = key.length): number {
  let crc = 0;
  for (let i = start; i < end; i++) {
    crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ key.charCodeAt(i)];
  }
  return crc;
}

/**
 * The part of `key` that decides its slot: what stands between the first "{" and the next "}", if that
 * is not empty; else undefined, and the whole key decides.
 */
export function hashTag(key: string): string | undefined {
  const open = key.indexOf("{");
  if (open < 0) return undefined;
  const close = key.indexOf("}", open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : undefined;
}

/** The slot of a key given as one character per byte. */
export function slotOf(key: string): number {
  return crc16(hashTag(key) ?? key) % SLOT_COUNT;
}
