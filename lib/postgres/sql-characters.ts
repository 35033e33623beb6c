/** Whether a name without quotes may begin with the character. All above ASCII may, the spaces of Unicode among them. */
export function isWordStart(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === UNDERSCORE || code >= 0x80;
}

export function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

export function isWordPart(code: number): boolean {
  return isWordStart(code) || isDigit(code) || code === DOLLAR;
}

export function isOperator(code: number): boolean {
  return code < 0x80 && SIGNS[code] === true;
}

export const QUOTE = 0x27;
export const DOUBLE_QUOTE = 0x22;
export const DOLLAR = 0x24;
export const DOT = 0x2e;
export const COLON = 0x3a;
export const DASH = 0x2d;
export const PLUS = 0x2b;
export const SLASH = 0x2f;
export const STAR = 0x2a;
export const BACKSLASH = 0x5c;
const UNDERSCORE = 0x5f;
export const LOWER_E = 0x65;
export const UPPER_E = 0x45;
export const NEWLINE = 0x0a;
export const RETURN = 0x0d;

const SIGNS: readonly boolean[] = Array.from({ length: 0x80 }, (_, code) => '~!@#^&|`?+-*/%<>='.includes(String.fromCharCode(code)));

export const OWN_SIGNS: ReadonlySet<number> = new Set(Array.from('~!@#^&|`?%', sign => sign.charCodeAt(0)));
