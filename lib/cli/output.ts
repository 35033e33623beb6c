import { styleText } from 'node:util';

type Color = Exclude<Parameters<typeof styleText>[0], readonly unknown[]>;

/** Prints to the standard output, in colour if it is a terminal. */
export function print(text: string, color: Color = 'reset'): void {
  console.log(paint(text, color, process.stdout));
}

/** Prints to the standard error, in colour if it is a terminal. */
export function printError(text: string, color: Color = 'red'): void {
  console.error(paint(text, color, process.stderr));
}

/** The text in colour, if the stream shows it. */
export function paint(text: string, color: Color, stream: NodeJS.WriteStream): string {
  return color === 'reset' ? text : styleText(color, text, { stream });
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/**
 * The text in one line, which keeps tables whole, with its end where it is very long. An error can have any character in it; one that moves a
 * terminal's cursor is shown by its code.
 */
export function oneLine(text: string): string {
  const line = text
    .replaceAll(/\s*[\r\n]\s*/g, ' ')
    .replaceAll('\t', ' ')
    .replaceAll(/\p{Cc}/gu, character => `\\u{${character.codePointAt(0)?.toString(16)}}`);

  return line.length <= LONGEST_LINE
    ? line
    : `${line.slice(0, LONGEST_LINE - LONGEST_END)} … ${line.slice(-LONGEST_END)} (${line.length} characters; \`--json\` shows all)`;
}

/** The first of many names, or all of them. */
export function listOf(names: readonly string[], all = false): string {
  const shown = all ? names : names.slice(0, NAMED);

  return `${shown.join(', ')}${names.length > shown.length ? ` and ${names.length - shown.length} more` : ''}`;
}

/** Prints one JSON object in a line. */
export function writeJson(event: string, values: object): void {
  console.log(JSON.stringify({ event, ...values }));
}

const NAMED = 5;

const LONGEST_LINE = 2_000;

const LONGEST_END = 400;
