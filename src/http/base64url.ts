// base64url without padding (RFC 4648 §5) of byte strings, one spelling for each: keys that neither a URL
// nor JSON can carry as they are, and opaque cursors.

/** Bytes, one character each; undefined if malformed. */
export function decodeBase64Url(text: string): string | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  // Unused trailing bits must be zero, or two texts would name one key.
  return encodeBase64Url(bytes) === text ? bytes : undefined;
}

/** Inverse of {@linkcode decodeBase64Url}. */
export function encodeBase64Url(bytes: string): string {
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
