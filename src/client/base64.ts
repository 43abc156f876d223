// Base64 of byte strings (one character per byte) with what every runtime has: btoa and atob.

/** Characters per String.fromCharCode call: more would overflow the stack of arguments. */
const SLICE = 8192;

/** One character per byte. */
export function latin1OfBytes(bytes: Uint8Array): string {
  if (bytes.length <= SLICE) return String.fromCharCode(...bytes);
  let text = "";
  for (let i = 0; i < bytes.length; i += SLICE) {
    text += String.fromCharCode(...bytes.subarray(i, i + SLICE));
  }
  return text;
}

/** Inverse of {@linkcode latin1OfBytes}. */
export function bytesOfLatin1(latin1: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(latin1.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = latin1.charCodeAt(i);
  return bytes;
}

/** Base64 with padding (RFC 4648 §4). */
export function base64OfBytes(bytes: Uint8Array): string {
  return btoa(latin1OfBytes(bytes));
}

/** Inverse of {@linkcode base64OfBytes}; throws DOMException for what is no base64. */
export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> {
  return bytesOfLatin1(atob(text));
}

/** base64url without padding (RFC 4648 §5) of a text with one character per byte. */
export function base64UrlOfLatin1(latin1: string): string {
  return btoa(latin1).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Inverse of {@linkcode base64UrlOfLatin1}; throws DOMException for what is no base64url. */
export function latin1OfBase64Url(text: string): string {
  return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
}
