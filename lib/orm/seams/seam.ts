/** One thing of another package that is undocumented or overridden, and that a guarantee of this library rests on. */
export interface Seam extends SeamRow {
  /** Owner and member, as errors name them: `EntityManager.processWhere`. */
  readonly name: string;
  readonly owner: string;
  readonly member: string;
  /** The package that it comes from. */
  readonly from: string;
}

export interface SeamRow {
  /**
   * What the library does with it. `override`: a subclass has its own. `replace`: an object gets another. `give`: an object of the library's
   * has it, for the package to call. `call` and `read`: the library calls or reads it. `write`: the library sets it, for the package to read.
   */
  readonly use: 'override' | 'replace' | 'give' | 'call' | 'read' | 'write';
  /** How many parameters it declares, up to the first with a default: a number, or the least and the most. */
  readonly arity?: number | readonly [least: number, most: number];
  /** The places of the arguments that the library reads or changes, and of which a move would do harm. */
  readonly reads?: readonly number[];
  /** Whether it shows on objects alone: as a field, or as a method of a class that nobody exports. */
  readonly onObject?: true;
  /** What in the package calls or reads it. Without it, users do. */
  readonly by?: string;
  /** What goes wrong without it, said as what it protects. */
  readonly protects: string;
  /** The files of `lib/` that use it. */
  readonly usedIn: readonly string[];
}

/** The seams of one owner, from the rows of a table. */
export function seamsOf(owner: string, from: string, rows: Readonly<Record<string, SeamRow>>): readonly Seam[] {
  return Object.entries(rows).map(([member, row]) => ({ ...row, owner, member, from, name: `${owner}.${member}` }));
}

/** The same for an owner that shows on objects alone. */
export function objectSeamsOf(...args: Parameters<typeof seamsOf>): readonly Seam[] {
  return seamsOf(...args).map(seam => ({ ...seam, onObject: true }));
}
