/** Shorter secrets are not looked for: hiding every `a` would hide the message. */
const SECRET_LENGTH_MIN = 4;

const MASK = '[redacted]';

/**
 * What looks like a secret wherever it stands, known or not. The captured part stays. The time they take grows with
 * the length of the text and no faster, because servers choose it: no two repetitions may share characters, and none
 * may run on from many beginnings.
 */
const SECRET_PATTERNS: readonly RegExp[] = [
  // JSON Web Tokens; a `-` begins a word, hence the limit
  /()\beyJ[\w-]{8,1024}\.[\w-]{8,}(?:\.[\w-]*)?/g,
  // header values
  /(\b(?:authorization|proxy-authorization)["']?\s*[:=]\s*(?:["']\s*)?(?:(?:bearer|basic)\s*)?)[^\s"',;]+/gi,
  /(\b(?:x-api-key|x-api-secret|api[_-]?key|access_token|refresh_token|password)["']?\s*[:=]\s*["']?)[^\s"',;&]+/gi,
  /(\bbearer\s+)[\w.~+/=-]{8,}/gi,
  // user information in a URL
  /((?<=[a-z0-9+.-]):\/\/)[^\s/@"']+@/gi,
  // age identities
  /()\bAGE-SECRET-KEY-[A-Z0-9-]{8,}/g,
];

/**
 * Keeps secrets out of everything that is printed, logged, stored or thrown. One instance serves a whole run:
 * whoever reads or receives a secret registers it before using it.
 */
export class Redaction {
  readonly #secrets = new Set<string>();

  /** From now on this text, also where it is URL- or JSON-encoded, is hidden. */
  register(secret: string): void {
    if (secret.length < SECRET_LENGTH_MIN) return;
    this.#secrets.add(secret);
    this.#secrets.add(encodeURIComponent(secret.toWellFormed()));
    this.#secrets.add(JSON.stringify(secret).slice(1, -1));
  }

  redact(text: string): string {
    let clean = text;
    // longest first: one secret may be a part of another
    const secrets = [...this.#secrets].toSorted((a, b) => b.length - a.length);
    for (const secret of secrets) clean = clean.replaceAll(secret, MASK);
    for (const pattern of SECRET_PATTERNS) {
      clean = clean.replace(pattern, (match: string, before: string) =>
        match.endsWith('@') ? `${before}${MASK}@` : `${before}${MASK}`,
      );
    }
    return clean;
  }
}
