import { jsonAnswer, Refusal } from './message.ts';

/** Validation is a 400 in dialect D. */
export function invalid(field: string | null, message: string, code: string): Refusal {
  const details = [{ ...(field !== null && { field }), message, code }];
  const body = { error: 'validation_error', message: 'Request validation failed', details };
  return new Refusal(jsonAnswer(400, JSON.stringify(body)));
}

export function refusal(status: number, error: string, message: string): Refusal {
  return new Refusal(jsonAnswer(status, JSON.stringify({ error, message })));
}
