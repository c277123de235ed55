/** The members of a JSON text's outermost object, each with the text of its value; none where it is no object. */
export function membersOf(text: string): ReadonlyMap<string, string> {
  const members = new Map<string, string>();
  if (text[0] !== '{') return members;
  for (let at = skipSpace(text, 1); text[at] !== '}' && at < text.length; ) {
    const nameEnd = valueEnd(text, at);
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = valueEnd(text, start);
    members.set(JSON.parse(text.slice(at, nameEnd)) as string, text.slice(start, end));
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return members;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at++;
  return at;
}

/** Where the value that begins here ends. */
function valueEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') {
      for (at++; text[at] !== '"' && at < text.length; at++) if (text[at] === '\\') at++;
    } else if ('{['.includes(character)) depth++;
    else if ('}]'.includes(character)) {
      if (depth === 0) return at;
      depth--;
    } else if (depth > 0 || !', \t'.includes(character)) continue;
    else return at;
    if (depth === 0) return at + 1;
  }
  return text.length;
}
