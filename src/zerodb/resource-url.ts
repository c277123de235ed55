import { BackupError } from '../kernel/errors.ts';
import { printable, truncated } from '../kernel/printable.ts';

/**
 * The configured address of a server, without a slash at its end. User information, query and fragment are refused:
 * secrets do not belong in an address, and nothing else does.
 */
export function parseBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const proper = url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
  if (!proper || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    const shown = url === null ? text : url.host;
    throw new BackupError(
      'CONFIG_INVALID',
      `not the base URL of a server: ${printable(truncated(shown, 100))}`,
      {
        cure: 'Give an http or https address without user name, password and query, such as https://api.example.com.',
      },
    );
  }
  return url.href.replace(/\/+$/, '');
}

/** Whether a name can stand as one segment of a path without being folded away or changed. */
export function isSegment(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && name.isWellFormed();
}

/**
 * The URL of something below `base`: every segment is encoded as one. Names of collections and documents come from
 * outside, so what they would do to a path is checked twice: segments that URLs fold are refused, and the finished
 * URL must read back as it was written.
 */
export function resourceUrl(
  base: string,
  segments: readonly string[],
  query: Readonly<Record<string, string | number>> = {},
): string {
  const unfit = segments.find((segment) => !isSegment(segment));
  if (unfit !== undefined) throw unaddressable(unfit);
  const path = segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const intended = base + path + (pairs.length > 0 ? `?${pairs.join('&')}` : '');
  if (new URL(intended).href !== intended) throw unaddressable(segments.join('/'));
  return intended;
}

function unaddressable(name: string): BackupError {
  return new BackupError(
    'SOURCE_REFUSED',
    `the name cannot stand in a URL: "${printable(truncated(name, 100))}"`,
    {
      object: name,
      cure: 'Rename it on the server: empty names, "." and ".." and broken characters cannot be addressed over HTTP.',
    },
  );
}
