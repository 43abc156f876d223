// Certificates and keys that servers can start on, and the taking over of new ones: what can't be used is refused
// before a listener is given up for it, and listeners are replaced one change at a time.

import { X509Certificate } from "node:crypto";

/** PEM texts. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  /** Whom to trust; needed for peer links. */
  readonly ca?: string;
}

/** Certificates that may be replaced while the node runs. */
export interface TlsSource {
  readonly current: TlsMaterial;
  onChange(callback: (material: TlsMaterial) => void): void;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * The texts of certificate, key and, for peer links, CA. Throws with the reason where no server could start on
 * them, as between the replacing of one file and of the next: only a listener knows all that a listener asks for.
 */
export function usableTls([cert, key, ca]: readonly string[]): TlsMaterial {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot use certificate and key: ${reason}`, { cause });
  }
  if (ca !== undefined) checkAuthorities(ca);
  return { cert, key, ca };
}

function checkAuthorities(ca: string): void {
  const certificates = ca.match(PEM_CERTIFICATE) ?? [];
  if (certificates.length === 0) throw new Error("Cannot use the CA: it holds no certificate");
  for (const [i, pem] of certificates.entries()) {
    try {
      new X509Certificate(pem);
    } catch (cause) {
      throw new Error(`Cannot use the CA: its certificate ${i + 1} can't be read`, { cause });
    }
  }
}

/**
 * A function that runs `step`, never twice at the same time: called while it runs, it runs it once more afterwards,
 * however often it was called. Two that replace one listener would wait for its address for ever.
 */
export function oneAtATime(step: () => Promise<void>): () => Promise<void> {
  let wanted = false;
  let running: Promise<void> | undefined;
  const run = async () => {
    while (wanted) {
      wanted = false;
      await step();
    }
    running = undefined;
  };
  return () => {
    wanted = true;
    return running ??= run();
  };
}
