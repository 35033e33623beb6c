import { isWordStart } from './sql-characters.js';
import { hasBackslash } from './token-ends.js';
import {
  BEFORE_UPDATE,
  CALLABLE,
  CONFIGURED,
  FIRST_WORDS,
  OPERANDS,
  OPERATORS,
  READS_SETTING,
  ROLES,
  SETTINGS,
  TYPES,
} from './known-words.js';
import type { Role } from './known-words.js';
import { TokenAhead } from './token-ahead.js';
import { Before, hasOwnConfiguration, mayOpen, mayPrecedeValue } from './word-rules.js';

/** Whether the SQL may have a name that is looked up on the path. See `hasUnqualifiedNames`. */
export function hasNames(sql: string): boolean {
  return new NameScanner(sql).findsName();
}

class NameScanner {
  readonly #sql: string;
  readonly #next: TokenAhead;
  /** For each open parenthesis, whether it is inside a list of tables. */
  readonly #lists: boolean[] = [];
  /** The word before a table name, if a table name must follow. */
  #tableAfter: string | undefined;
  #isFirstWord = true;
  readonly #before = new Before();
  /** How many parentheses are open in the columns that a conflict is on. */
  #conflictDepth = 0;

  constructor(sql: string) {
    this.#sql = sql;
    this.#next = new TokenAhead(sql);
  }

  findsName(): boolean {
    while (this.#next.isThere) {
      const { kind, start, end } = this.#next.lexer;
      let found: boolean;

      switch (kind) {
        case 'word':
          found = this.#takeName(start, end, false);
          break;
        case 'name':
          found = this.#takeName(start, end, true);
          break;
        case 'string':
          found = this.#takeString(start, end);
          break;
        case 'escape string':
          found = this.#takeValue();
          break;
        case 'number':
        case 'parameter':
          // before version 15 PostgreSQL reads `1from` as two words
          found = isWordStart(this.#sql.charCodeAt(end)) || this.#takeValue();
          break;
        case 'operator':
          found = !OPERATORS.has(this.#sql.slice(start, end)) || this.#go('other');
          break;
        case 'cast':
          found = this.#go('cast');
          break;
        case 'other':
          found = this.#takeSign(this.#sql[start] as string);
          break;
        case 'space':
        case 'comment':
          found = this.#go(this.#before.previous);
          break;
        case 'body':
        case 'open':
          // the body of a function or of a `do`, or something that does not end
          found = true;
      }

      if (found) {
        return true;
      }
    }

    return false;
  }

  /** A word, or a name in quotes, with all that follows it after dots. */
  #takeName(start: number, end: number, isQuoted: boolean): boolean {
    this.#next.go();
    let isQualified = false;
    let last = end;

    while (this.#next.isSign('.')) {
      isQualified = true;
      this.#next.go();

      if (!this.#next.isThere || !(this.#next.lexer.kind === 'word' || this.#next.lexer.kind === 'name' || this.#next.isSign('*'))) {
        return true;
      }

      last = this.#next.lexer.end;
      this.#next.go();
    }

    if (isQualified) {
      return this.#takeQualified(this.#sql.slice(start, last));
    }

    return isQuoted ? this.#takeQuoted(end - start) : this.#takeWord(this.#sql.slice(start, end).toLowerCase());
  }

  // `"acme"."book"`, `acme.book`, `b.title`, `"b".*`
  #takeQualified(name: string): boolean {
    if (this.#next.isValue || (this.#tableAfter !== 'into' && this.#next.isSign('(') && !READS_SETTING.test(name))) {
      return true;
    }

    if (this.#tableAfter === 'update' && SETTINGS.test(name)) {
      return true;
    }

    this.#tableAfter = undefined;

    return this.#went('operand');
  }

  #takeQuoted(length: number): boolean {
    // a table, a type, a function, or a name without a letter
    return (
      this.#tableAfter !== undefined ||
      this.#before.previous === 'cast' ||
      length === '""'.length ||
      this.#next.isValue ||
      this.#next.isSign('(') ||
      // a class of operators
      (this.#isInConflict && this.#before.previous === 'operand') ||
      this.#went('operand')
    );
  }

  #takeWord(word: string): boolean {
    const role = ROLES.get(word);

    if (role === undefined && ((this.#lists.length === 0 && this.#before.isNaming && this.#next.endsResult) || this.#isColumn(word))) {
      return this.#went('operand');
    }

    if (role === undefined || this.#isInConflict || (this.#isFirstWord && !FIRST_WORDS.has(word)) || this.#before.mayBeName(word, role)) {
      return true;
    }

    this.#isFirstWord = false;

    if (this.#before.previous === 'cast') {
      return !TYPES.has(word) || (word === 'double' && !this.#next.isWord('precision')) || this.#went('operand');
    }

    if (this.#tableAfter !== undefined && !this.#mayComeBeforeTable(word)) {
      return true;
    }

    if (
      this.#next.isSign('(')
        ? !(mayOpen(word, this.#before) && (!CONFIGURED.has(word) || hasOwnConfiguration(this.#sql, this.#next.lexer.end)))
        : this.#next.isValue
          ? !mayPrecedeValue(word, this.#before)
          : word === 'double' && !this.#next.isWord('precision')
    ) {
      return true;
    }

    this.#follow(word, role);
    this.#before.passWord(word, OPERANDS.has(word) ? 'operand' : 'word');

    return false;
  }

  /** Whether the word is a value in an expression. Of those that PostgreSQL knows without parentheses, one is looked up on the path. */
  #isColumn(word: string): boolean {
    return (
      this.#tableAfter === undefined &&
      !this.#isInConflict &&
      this.#before.mayPrecedeColumn &&
      this.#next.followsColumn &&
      word !== 'current_schema'
    );
  }

  /** What may stand where a table is expected, and is none. */
  #mayComeBeforeTable(word: string): boolean {
    switch (word) {
      case 'only':
      case 'lateral':
        return true;
      case 'table':
        return this.#tableAfter === 'truncate' || this.#tableAfter === 'into' || this.#before.previous === 'parenthesis';
      case 'select':
      case 'with':
        return this.#before.previous === 'parenthesis';
      case 'values':
        return this.#before.previous === 'parenthesis' && this.#next.isSign('(');
      default:
        return CALLABLE.get(word) === 'function' && this.#next.isSign('(') && this.#tableAfter !== 'into' && this.#tableAfter !== 'update';
    }
  }

  #follow(word: string, role: Role): void {
    this.#before.hasInto ||= word === 'into';
    this.#before.hasJoin ||= word === 'join';
    this.#conflictDepth = word === 'conflict' && this.#next.isSign('(') ? this.#lists.length + 1 : this.#conflictDepth;

    if (word === 'table' && this.#tableAfter === 'truncate') {
      return;
    }

    if (role !== 'goes on') {
      const opensTable = (role === 'table' || role === 'tables') && !this.#namesNoTable(word);
      this.#tableAfter = opensTable ? word : undefined;
      this.#before.inTableList = (opensTable && role === 'tables') || (this.#before.inTableList && role !== 'clause');
    }
  }

  // `for update`, `do update set`, `is distinct from`
  #namesNoTable(word: string): boolean {
    return (word === 'update' && this.#before.isAfter(BEFORE_UPDATE)) || (word === 'from' && this.#before.isComparing);
  }

  #takeString(start: number, end: number): boolean {
    // it ends elsewhere where `standard_conforming_strings` is off; MikroORM writes none
    return hasBackslash(this.#sql, start, end) || this.#takeValue();
  }

  #takeValue(): boolean {
    this.#tableAfter = undefined;

    // a type with modifiers, whose name was taken for that of a function
    return this.#before.previous === 'operand' || this.#go('operand');
  }

  #takeSign(sign: string): boolean {
    switch (sign) {
      case '(':
        if (this.#before.word === 'as') {
          // a CTE, or names with types
          return true;
        }

        this.#lists.push(this.#before.inTableList);
        this.#before.inTableList = this.#tableAfter !== undefined;

        return this.#go('parenthesis');
      case ')':
        this.#conflictDepth = this.#isInConflict ? 0 : this.#conflictDepth;
        this.#before.inTableList = this.#lists.pop() ?? false;
        this.#tableAfter = undefined;

        return this.#go('operand');
      case ',':
        this.#tableAfter = this.#before.inTableList ? ',' : undefined;

        return this.#go('other');
      case ']':
        return this.#go('operand');
      case '[':
      case ':':
      case '.':
        return this.#go('other');
      default:
        // a second statement, or what PostgreSQL does not know
        return true;
    }
  }

  /** Goes on to the next token. */
  #go(previous: Before['previous']): false {
    this.#next.go();

    return this.#went(previous);
  }

  #went(previous: Before['previous']): false {
    this.#before.previous = previous;
    this.#before.word = '';

    return false;
  }

  get #isInConflict(): boolean {
    return this.#conflictDepth > 0 && this.#lists.length === this.#conflictDepth;
  }
}
