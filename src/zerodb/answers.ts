import { BackupError, type ErrorCode } from '../kernel/errors.ts';
import type { HttpResponse } from '../kernel/http.ts';
import { printable, truncated } from '../kernel/printable.ts';
import type { Redaction } from '../kernel/redaction.ts';

const MESSAGE_LENGTH_MAX = 300;
const SAMPLE_LENGTH = 60;
/** Longer answers are not looked at for a message. */
const MESSAGE_BODY_BYTES_MAX = 64 * 1024;

const NO_CREDENTIALS =
  'The server asks for credentials and none are configured: set ZERODB_API_KEY, or ZERODB_EMAIL and ZERODB_PASSWORD; of another target those that begin with ZERODB_TARGET.';

/** What a request was about, for the errors that come of it. */
export interface About {
  /** As in `cannot <read collection "users">`. */
  readonly task: string;
  /** Collection or document. */
  readonly object?: string;
  /** Where the credentials in use come from: `ZERODB_API_KEY`. Never their value. Null if there are none. */
  readonly credentials: string | null;
  readonly redaction: Redaction;
}

/** The server's own words about an error, from any of the shapes of zerodb-protocol.md §4.1, on one line. */
export function messageOf(response: HttpResponse, redaction: Redaction): string {
  const text = bodyText(response);
  const message = messageIn(parsed(text)) ?? (describesItself(response) ? text : '');
  const clean = printable(redaction.redact(message.trim()));
  return clean === '' ? contentOf(response, redaction) : truncated(clean, MESSAGE_LENGTH_MAX);
}

/** The server's own words about an error as they are, null if there are none: to judge by, not to print. */
export function statedMessage(response: HttpResponse): string | null {
  return messageIn(parsed(bodyText(response)));
}

/** Machine-readable facts of an error: names of the fields that a 422 is about, and its code. */
export interface ErrorFields {
  readonly code: string | null;
  /** Last parts of `detail[].loc`, and `expected_field`. */
  readonly fields: readonly string[];
}

export function errorFields(response: HttpResponse): ErrorFields {
  const body = parsed(bodyText(response));
  const details = Array.isArray(body?.detail) ? (body.detail as unknown[]) : [];
  const located = details.map((detail) => (isObject(detail) ? detail.loc : null));
  const fields = [
    ...located.map((loc) => (Array.isArray(loc) ? (loc.at(-1) as unknown) : loc)),
    body?.expected_field,
  ];
  return {
    code: typeof body?.error_code === 'string' ? body.error_code : null,
    fields: fields.filter((field) => typeof field === 'string'),
  };
}

/** Whether a refused insert or creation was refused because the thing is there already. */
export function saysExists(response: HttpResponse): boolean {
  if (response.status === 409) return true;
  if (response.status !== 400) return false;
  const text = bodyText(response);
  return (
    /\bexists?\b/i.test(messageIn(parsed(text)) ?? text) || /EXISTS/.test(errorFields(response).code ?? '')
  );
}

export function isSuccess(response: HttpResponse): boolean {
  return response.status >= 200 && response.status < 300;
}

/** The error that an answer without success stands for. */
export function failureOf(response: HttpResponse, about: About): BackupError {
  const { status } = response;
  const says = `the server answered ${status}: ${messageOf(response, about.redaction)}`;
  const failure = (code: ErrorCode, why: string, cure: string, temporary = false): BackupError =>
    new BackupError(code, `cannot ${about.task}: ${why}`, {
      ...(about.object !== undefined && { object: about.object }),
      cure,
      temporary,
    });
  if (status >= 300 && status < 400) {
    const cure =
      'If that address is the right one, configure it as the base URL: credentials are not sent after redirects.';
    return failure(
      'SOURCE_REFUSED',
      `the server redirects to ${redirectGoal(response, about.redaction)}`,
      cure,
    );
  }
  switch (status) {
    case 401:
      return failure(
        'SOURCE_UNAUTHORIZED',
        says,
        about.credentials === null
          ? NO_CREDENTIALS
          : `Check ${about.credentials}: the server does not accept it.`,
      );
    case 403:
      return failure(
        'SOURCE_FORBIDDEN',
        says,
        about.credentials === null
          ? NO_CREDENTIALS
          : about.object === undefined
            ? `Check the project id, and that ${about.credentials} has the right to do this.`
            : `Give ${about.credentials} the right to do this, or leave it out.`,
      );
    case 404:
    case 405:
    case 410:
      return failure('SOURCE_NOT_FOUND', says, 'Check the name, the project id and the base URL.');
    case 413:
      return failure(
        'SOURCE_REFUSED',
        says,
        'It is larger than the server accepts; raise the limit of the server.',
      );
    case 429:
      return failure('SOURCE_RATE_LIMITED', says, 'Try again later, or set a lower --rate-limit.', true);
    default:
      return status >= 500
        ? failure('SOURCE_FAILED', says, 'Run the same command again later.', true)
        : failure(
            'SOURCE_REFUSED',
            says,
            'See what the server says; the request will not succeed unchanged.',
          );
  }
}

/** The error for an answer that claims success but is not what the protocol says. */
export function malformedAnswer(response: HttpResponse, about: About, why: string): BackupError {
  const stated = messageIn(parsed(bodyText(response)));
  const words = stated === null ? '' : ` that says "${shown(stated, about)}"`;
  const isTelling = stated === null && response.body.length > 0 && !isWebPage(response);
  const sample = isTelling ? `: ${shown(bodyText(response), about)}` : '';
  const message = `cannot ${about.task}: ${why}; the answer is ${contentOf(response, about.redaction)}${words}${sample}`;
  return new BackupError('SOURCE_MALFORMED', message, {
    ...(about.object !== undefined && { object: about.object }),
    cure: 'Check that the base URL is that of a ZeroDB server, and that no proxy or login page stands in between.',
  });
}

/** True for a web page where data should be: some gateways answer with one, and with status 200. */
export function isWebPage(response: HttpResponse): boolean {
  return (
    (response.headers['content-type'] ?? '').includes('html') ||
    /^\s*<(!doctype|html)/i.test(bodyText(response))
  );
}

function contentOf(response: HttpResponse, redaction: Redaction): string {
  if (response.body.length === 0) return 'empty';
  if (isWebPage(response)) return titled(redaction.redact(bodyText(response)));
  return parsed(bodyText(response)) === null ? 'not a JSON object' : 'a JSON object';
}

/** The title of a page often says whose it is: a login page, a proxy, another port. */
function titled(html: string): string {
  const title = /<title>([^<]+)/i.exec(html)?.[1]?.trim() ?? '';
  return title === '' ? 'an HTML page' : `an HTML page "${truncated(printable(title), SAMPLE_LENGTH)}"`;
}

/** Text that was meant to be read as it is. */
function describesItself(response: HttpResponse): boolean {
  return !isWebPage(response) && parsed(bodyText(response)) === null;
}

function shown(text: string, about: About): string {
  return truncated(printable(about.redaction.redact(text)), SAMPLE_LENGTH);
}

/** The beginning of an answer, as far as it is looked at for a message. */
export function bodyText(response: HttpResponse): string {
  const { body } = response;
  const length = Math.min(body.length, MESSAGE_BODY_BYTES_MAX);
  return Buffer.from(body.buffer, body.byteOffset, length)
    .toString('utf8')
    .replace(/^\ufeff/, '');
}

function parsed(text: string): Record<string, unknown> | null {
  if (!/^\s*\{/.test(text)) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function messageIn(body: Record<string, unknown> | null): string | null {
  if (body === null) return null;
  const { detail, message, error } = body;
  if (typeof detail === 'string') return detail;
  if (typeof message === 'string') return message;
  if (isObject(error) && typeof error.message === 'string') return error.message;
  if (typeof error === 'string') return error;
  const list = Array.isArray(detail) ? detail : Array.isArray(body.details) ? body.details : [];
  const messages = list.filter(isObject).map((entry) => {
    const text = plainText(entry.msg ?? entry.message);
    const place = Array.isArray(entry.loc) ? entry.loc.map(plainText).join('.') : entry.field;
    return typeof place === 'string' ? `${place}: ${text}` : text;
  });
  return messages.length > 0 ? messages.join('; ') : null;
}

/** What a value of the answer says as text; `String` would call what the server sent under the name `toString`. */
function plainText(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function redirectGoal(response: HttpResponse, redaction: Redaction): string {
  const location = response.headers.location ?? '';
  if (!URL.canParse(location))
    return location === '' ? 'nowhere' : printable(truncated(redaction.redact(location), 100));
  return new URL(location).origin;
}
