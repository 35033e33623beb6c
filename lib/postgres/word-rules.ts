import { AFTER_GROUP, BEFORE_COLUMN, CALLABLE, JOIN_KINDS, OWN_CONFIGURATIONS, RESERVED, TYPED, type Role } from './known-words.js';
import { SqlLexer } from './sql-lexer.js';

/** What came before, as far as the meaning of a word depends on it. */
export class Before {
  previous: 'nothing' | 'word' | 'operand' | 'cast' | 'parenthesis' | 'other' = 'nothing';
  /** The word before, if it was one. */
  word = '';
  /** What came before that word. */
  beforeWord: Before['previous'] = 'nothing';
  /** The word before that word, if it was one. */
  wordBefore = '';
  inTableList = false;
  hasInto = false;
  hasJoin = false;

  /** Whether the word is the `distinct` of `is distinct from`. Elsewhere it may be an alias. */
  get isComparing(): boolean {
    return this.word === 'distinct' && (this.wordBefore === 'is' || this.wordBefore === 'not');
  }

  /** Whether a name for a column of a result may follow. Inside of parentheses it may be a type, as in `cast(… as mood)`. */
  get isNaming(): boolean {
    return this.word === 'as' && this.beforeWord === 'operand' && !this.inTableList;
  }

  /** Whether the word, which begins a clause elsewhere, may be the name of a column or an alias, after which a list of tables goes on. */
  mayBeName(word: string, role: Role): boolean {
    return role === 'clause' && this.inTableList && !RESERVED.has(word) && this.previous !== 'parenthesis' && this.word !== 'update';
  }

  /** Whether a value may follow, such as the name of a column. */
  get mayPrecedeColumn(): boolean {
    return this.previous === 'parenthesis' || this.previous === 'other' || (this.previous === 'word' && BEFORE_COLUMN.has(this.word));
  }

  passWord(word: string, as: Before['previous']): void {
    this.beforeWord = this.previous;
    this.wordBefore = this.word;
    this.previous = as;
    this.word = word;
  }

  isAfter(words: ReadonlySet<string>): boolean {
    return this.word !== '' && words.has(this.word);
  }
}

/** Whether a parenthesis after the word does not make it the name of a function, or an alias whose columns have types. */
export function mayOpen(word: string, before: Before): boolean {
  switch (word) {
    case 'by':
      return before.isAfter(AFTER_GROUP);
    case 'over':
    case 'filter':
    case 'set':
      return (before.previous === 'operand' && !before.inTableList) || before.word === 'update';
    case 'conflict':
      return before.word === 'on' && before.hasInto && !before.hasJoin;
    case 'join':
      return before.previous === 'operand' || before.isAfter(JOIN_KINDS);
    case 'between':
    case 'values':
      return !(before.previous === 'operand' && before.inTableList) && before.word !== 'as';
    default:
      return RESERVED.has(word) ? before.word !== 'as' : CALLABLE.has(word) && before.previous !== 'operand' && before.word !== 'as';
  }
}

/** Whether a literal after the word does not make it the name of a type. */
export function mayPrecedeValue(word: string, before: Before): boolean {
  switch (word) {
    case 'by':
      return before.isAfter(AFTER_GROUP);
    case 'like':
    case 'ilike':
      return before.previous === 'operand' || (before.word === 'not' && before.beforeWord === 'operand');
    default:
      return TYPED.has(word);
  }
}

/** Whether the function is called with a text-search configuration that every database has. Its parenthesis ends at `at`. */
export function hasOwnConfiguration(sql: string, at: number): boolean {
  const ahead = new SqlLexer(sql);
  ahead.end = at;

  return (
    ahead.nextVisible() &&
    ahead.kind === 'string' &&
    OWN_CONFIGURATIONS.has(ahead.text.slice(1, -1)) &&
    ahead.nextVisible() &&
    ahead.text === ','
  );
}
