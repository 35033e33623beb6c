/** The titles that two specs of one `describe` have, so that a report cannot tell which of them failed. */
export function repeatedTitles({ tests, suites }: TitledSuite): string[] {
  const titles = tests.map(test => test.fullTitle());
  const repeated = titles.filter((title, index) => titles.indexOf(title) !== index);

  return [...repeated, ...suites.flatMap(repeatedTitles)];
}

// before the first spec, as many titles are made from tables, which the files do not show
export const mochaHooks = {
  beforeAll(this: Mocha.Context): void {
    const repeated = repeatedTitles(this.test!.parent!);

    if (repeated.length > 0) {
      throw new Error(`Two specs of one \`describe\` have the same title:\n${repeated.join('\n')}`);
    }
  },
};

interface TitledSuite {
  readonly tests: readonly { fullTitle(): string }[];
  readonly suites: readonly TitledSuite[];
}
