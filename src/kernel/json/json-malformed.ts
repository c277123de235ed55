/** The text is not what its reader was told to expect; nothing that was found in it counts. */
export class JsonMalformed extends Error {
  override readonly name = 'JsonMalformed';
  /** Byte at which it was noticed. */
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

export function unexpected(what: string, at: number): JsonMalformed {
  return new JsonMalformed(`${what} where none may stand`, at);
}
