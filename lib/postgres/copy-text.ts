/** A row as `copy` writes it in its text format. */
export function encodeRow(values: readonly (string | null)[]): string {
  return `${values.map(value => (value === null ? '\\N' : value.replaceAll(SPECIAL, character => ESCAPES[character] ?? character))).join('\t')}\n`;
}

/** The values of a row in that format, without its line break. */
export function decodeRow(line: string): (string | null)[] {
  return line.split('\t').map(value => (value === '\\N' ? null : value.includes('\\') ? value.replaceAll(ESCAPED, meaningOf) : value));
}

/** The rows of a whole text in that format. */
export function decodeRows(text: string): (string | null)[][] {
  return text === '' ? [] : text.slice(0, -1).split('\n').map(decodeRow);
}

function meaningOf(_escaped: string, character: string): string {
  return MEANINGS[character] ?? character;
}

const ESCAPED = /\\(.)/gs;

const SPECIAL = /[\\\n\r\t\b\f\v]/g;

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};

const MEANINGS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v' };

/** The line that ends the rows of a table. No row is this line, because `copy` writes a backslash twice. */
export const END_OF_ROWS = '\\.';
