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

/** The text in one line, which keeps tables whole. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ');
}

/** Prints one JSON object in a line. */
export function writeJson(event: string, values: object): void {
  console.log(JSON.stringify({ event, ...values }));
}
