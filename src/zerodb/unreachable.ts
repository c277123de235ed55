import { BackupError } from '../kernel/errors.ts';
import type { ConnectionTrouble, HttpFailure } from '../kernel/http.ts';

/** A request that got no answer, and what had been tried when patience with it ended. */
export interface Unanswered {
  readonly url: string;
  readonly failure: HttpFailure;
  readonly attempts: number;
  readonly tookMs: number;
  /** Whether this server has ever answered. */
  readonly hasAnswered: boolean;
  /** Whether one of the attempts may have reached it. */
  readonly mayHaveActed: boolean;
  /** What the base URL is configured by: `ZERODB_API_BASE_URL`. */
  readonly urlName: string;
}

/** SOURCE_UNREACHABLE if the server has seen nothing of the request, else SOURCE_FAILED: it may have acted. */
export function unanswered(facts: Unanswered): BackupError {
  const { url, failure, attempts, tookMs, hasAnswered, mayHaveActed } = facts;
  const isUnreachable = failure.kind === 'unreachable' && !mayHaveActed;
  const times = attempts === 1 ? 'tried once' : `tried ${attempts} times`;
  const verb = failure.kind === 'unreachable' ? 'cannot be reached' : 'gave no answer';
  return new BackupError(
    isUnreachable ? 'SOURCE_UNREACHABLE' : 'SOURCE_FAILED',
    `${new URL(url).host} ${verb}: ${failure.message}; ${times} in ${Math.ceil(tookMs / 1000)} s`,
    {
      temporary: true,
      cure: hasAnswered
        ? 'Run the same command again when the server is back; if it is gone for good, ask whoever runs it.'
        : cureOf(failure.trouble, facts),
      cause: failure,
    },
  );
}

/** No later attempt fares better. */
export function isLasting(trouble: ConnectionTrouble | null): boolean {
  return trouble === 'untrusted' || trouble === 'no-tls';
}

function cureOf(trouble: ConnectionTrouble | null, { url, urlName }: Unanswered): string {
  switch (trouble) {
    case 'refused':
      return `Check host and port in ${urlName}, and that the server is running.`;
    case 'unknown-host':
      return `Check how the host is spelt in ${urlName}, and whether this machine has a network.`;
    case 'no-route':
    case 'silent':
      return `Check host and port in ${urlName}, and whether a firewall or a proxy stands in between.`;
    case 'no-tls':
      return `If the server speaks plain HTTP, write http:// in ${urlName}; else check host and port there.`;
    case 'untrusted':
      return `Check the host in ${urlName}; if an authority of your own signs its certificate, name the file with that authority's certificate in NODE_EXTRA_CA_CERTS.`;
    case 'no-http':
      return url.startsWith('https:')
        ? `Check host and port in ${urlName}: something else than a ZeroDB server seems to be there.`
        : `If the server speaks TLS, write https:// in ${urlName}; else check host and port there.`;
    case null:
      return `Check ${urlName} and the network, then run the same command again.`;
  }
}
