import { expect, test } from 'vitest';
import { DocumentSpans } from '../../../../src/kernel/json/document-spans.ts';

function list(spans: DocumentSpans) {
  return Array.from({ length: spans.count }, (_, index) => [
    spans.start(index),
    spans.end(index),
    spans.hasMember(index, 0) ? [spans.memberStart(index, 0), spans.memberEnd(index, 0)] : null,
  ]);
}

function tenSpans(): DocumentSpans {
  const spans = new DocumentSpans(1);
  for (let index = 0; index < 10; index++) {
    if (index % 2 === 0) spans.setMember(0, 100 * index + 6, 100 * index + 9);
    spans.add(100 * index, 100 * index + 10);
  }
  return spans;
}

test('what was set is what stands there, however many there are', () => {
  const member = (index: number) => (index % 2 === 0 ? [100 * index + 6, 100 * index + 9] : null);
  const expected = Array.from({ length: 10 }, (_, index) => [100 * index, 100 * index + 10, member(index)]);
  expect(list(tenSpans())).toEqual(expected);
});

test('retained documents close up with their members', () => {
  const spans = tenSpans();
  const asked: number[] = [];
  spans.retain((index) => {
    asked.push(index);
    return index === 3 || index === 8;
  });
  expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(list(spans)).toEqual([
    [300, 310, null],
    [800, 810, [806, 809]],
  ]);
});

test('a document added behind retained ones has no member of a forgotten one', () => {
  const spans = tenSpans();
  spans.retain((index) => index < 2);
  spans.add(5000, 5001);
  expect(list(spans).at(-1)).toEqual([5000, 5001, null]);
});
