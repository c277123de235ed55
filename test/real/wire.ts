/** A server of dialect D as a client without any tool sees it. */
export class Wire {
  readonly url: string;
  readonly project: string;
  readonly #key: string | null;

  constructor(url: string, project: string, key: string | null = null) {
    this.url = url;
    this.project = project;
    this.#key = key;
  }

  /** A new project of the real server that `test/real/run` has started. */
  static async ofRealServer(): Promise<Wire> {
    const url = process.env.ZERODB_LOCAL_URL;
    if (url === undefined) throw new Error('these tests are run by test/real/run');
    const creating = new Wire(url, '');
    const { status, json } = await creating.send('POST', '/v1/projects', {
      name: `test ${performance.now()} ${process.pid}`,
      settings: {},
    });
    if (status !== 201) throw new Error(`no project: ${status}`);
    return new Wire(url, (json as { id: string }).id);
  }

  async send(method: string, path: string, body?: unknown): Promise<{ status: number; json: unknown }> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(this.#key !== null && { authorization: `Bearer ${this.#key}` }),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  /** A request below the list of tables. */
  tables(method: string, path: string, body?: unknown) {
    return this.send(method, `/v1/projects/${this.project}/database/tables${path}`, body);
  }

  /** As `tables`, and it must succeed. */
  async done(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, json } = await this.tables(method, path, body);
    if (status >= 300)
      throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(json).slice(0, 300)}`);
    return json;
  }

  async create(table: string): Promise<void> {
    await this.done('POST', '', { table_name: table, schema: {} });
  }

  /** Inserts rows in one call; their ids. */
  async insert(table: string, rows: readonly unknown[]): Promise<string[]> {
    return ((await this.done('POST', `/${table}/insert`, { rows })) as { inserted_ids: string[] })
      .inserted_ids;
  }

  async query(table: string, body: unknown = {}): Promise<Row[]> {
    return (await this.done('POST', `/${table}/query`, body)) as Row[];
  }

  async changes(query = ''): Promise<Change[]> {
    const path = `/v1/sync/changes?project_id=${this.project}&limit=1000${query}`;
    const { json } = await this.send('GET', path);
    return (json as { changes: Change[] }).changes;
  }
}

export interface Row {
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface Change {
  readonly id: string;
  readonly entity_id: string;
  readonly operation: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}
