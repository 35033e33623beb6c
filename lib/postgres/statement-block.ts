/**
 * Statements that the server runs one after the other inside of one `do`, in PL/pgSQL. An error of any kind then says which one failed: the line
 * of the block is in its context.
 *
 * https://www.postgresql.org/docs/current/plpgsql-statements.html#PLPGSQL-STATEMENTS-EXECUTING-DYN
 */
export class StatementBlock {
  readonly #lines: string[] = ['begin'];
  /** The first line of each executed statement. A statement may have several. */
  readonly #starts: number[] = [];
  #line = 1;

  /** Adds an SQL statement, or several that are separated by semicolons. */
  execute(sql: string): this {
    this.#starts.push(this.#line + 1);
    this.#push(`execute ${dollarQuoted(sql)};`);

    return this;
  }

  get sql(): string {
    return `do ${dollarQuoted([...this.#lines, 'end'].join('\n'))}`;
  }

  /** Which of the executed statements failed, counted from 0. Undefined if the error is not from one of them. */
  failedAt(error: unknown): number | undefined {
    const line = lineOf(error);
    const position = line === undefined ? -1 : this.#starts.indexOf(line);

    return position === -1 ? undefined : position;
  }

  #push(text: string): void {
    this.#lines.push(text);
    this.#line += text.split('\n').length;
  }
}

/** Whether PL/pgSQL executes the SQL as the server does. It does not execute `select … into`, which creates a table. */
export function fitsBlock(sql: string): boolean {
  return !/\bselect\b[^;]*\binto\b/i.test(sql);
}

// the text around the number is in the language of the server. A block in a statement of this block comes first
function lineOf(error: unknown): number | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { where } = cause as { readonly where?: unknown };

    if (typeof where === 'string') {
      const line = where.split('\n').findLast(each => each.includes(CODE_BLOCK));

      return line === undefined ? undefined : Number(/\d+/.exec(line.slice(line.indexOf(CODE_BLOCK)))?.[0]);
    }
  }

  return undefined;
}

function dollarQuoted(text: string): string {
  let tag = '$landlord$';

  for (let n = 1; text.includes(tag) || text.includes(tag.slice(0, -1)); n += 1) {
    tag = `$landlord${n}$`;
  }

  return `${tag}${text}${tag}`;
}

const CODE_BLOCK = 'inline_code_block';
