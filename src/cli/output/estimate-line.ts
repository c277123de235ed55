import type { OperationEvent } from '../../kernel/events.ts';
import { formatClock, formatCount, formatSize } from './quantities.ts';

export function estimateLine(event: Extract<OperationEvent, { type: 'estimate' }>): string {
  const { object, documents, bytes, requests, seconds } = event;
  const amount = `${formatCount(documents)} documents, ${formatSize(bytes)}`;
  return `${object}: some ${amount}, in ${formatCount(requests)} requests: about ${formatClock(1000 * seconds)} at the present rate`;
}
