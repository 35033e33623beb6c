/** A result cache that remembers what it was asked for. */
export class ProbeCache {
  readonly asked: string[] = [];
  /** What it has, by name. */
  readonly held = new Map<string, unknown>();

  get(name: string): unknown {
    this.asked.push(name);

    return this.held.get(name);
  }

  set(): void {}

  remove(name: string): void {
    this.asked.push(name);
  }

  clear(): void {}
}
