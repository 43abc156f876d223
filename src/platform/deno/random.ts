// Random over the platform's cryptographic source, and Digest over node:crypto's synchronous calls.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { assert } from "../../base/assert.ts";
import type { Digest, Random } from "../ports.ts";

/** Unpredictable randomness. */
export class DenoRandom implements Random {
  float(): number {
    return Math.random();
  }

  int(bound: number): number {
    assert(
      Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32,
      `bound out of range: ${bound}`,
    );
    return Math.floor(Math.random() * bound);
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return crypto.getRandomValues(new Uint8Array(length));
  }
}

/** SHA-256 and HMAC, synchronous. */
export class NodeDigest implements Digest {
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
    return new Uint8Array(createHmac("sha256", key).update(data).digest());
  }

  sha256(data: Uint8Array): Uint8Array<ArrayBuffer> {
    return new Uint8Array(createHash("sha256").update(data).digest());
  }

  equal(a: Uint8Array, b: Uint8Array): boolean {
    return a.length === b.length && timingSafeEqual(a, b);
  }
}
