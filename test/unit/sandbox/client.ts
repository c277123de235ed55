import { onTestFinished } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../../../src/sandbox/sandbox.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text parsed; a failure to parse is the test's failure. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape are taken apart by the tests
  readonly json: any;
}

export type Call = (
  method: string,
  path: string,
  body?: string,
  headers?: Record<string, string>,
) => Promise<Answer>;

/** A running sandbox that ends with the test, and a way to send it requests with its API key. */
export async function sandboxForTest(
  options: SandboxOptions = {},
): Promise<{ sandbox: Sandbox; call: Call; base: string }> {
  const sandbox = await startSandbox({ project: PROJECT, ...options });
  onTestFinished(() => sandbox.close());
  return { sandbox, call: callerOf(sandbox), base: `/v1/projects/${sandbox.project}/database` };
}

export const PROJECT = '5f0c6d1e-8f5b-4d9c-9a51-0d5b0f3c7a10';

export function callerOf(sandbox: Pick<Sandbox, 'url' | 'apiKey'>): Call {
  return async (method, path, body, headers) => {
    const response = await fetch(sandbox.url + path, {
      method,
      redirect: 'manual',
      headers: headers ?? { 'x-api-key': sandbox.apiKey },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      get json() {
        return JSON.parse(text);
      },
    };
  };
}

/** Keys of a page of dialect A. */
export function idsOf(answer: Answer): string[] {
  return answer.json.documents.map((document: { id: string }) => document.id);
}
