/** A text as a literal, whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;

  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
