/** Plots every other column over the first one as an SVG, with logarithmic axes. The note describes the machine. */
export function plot(rows: readonly Readonly<Record<string, number>>[], note = ''): string {
  const [xName = '', ...series] = Object.keys(rows[0] ?? {});
  const values = rows.flatMap(row => series.map(name => row[name] ?? 0)).filter(value => value > 0);
  const x = scale(
    rows.map(row => row[xName] ?? 1),
    [70, 560],
  );
  const y = scale(values, [320, 40]);
  const ticks = decades(values);

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 380" font-family="system-ui, sans-serif" font-size="13">
<rect width="820" height="380" fill="#fff"/>
${ticks.map(tick => `<path d="M70 ${y(tick)}H560" stroke="#ddd"/><text x="62" y="${y(tick) + 4}" text-anchor="end" fill="#555">${tick}</text>`).join('\n')}
${rows.map(row => `<text x="${x(row[xName] ?? 1)}" y="345" text-anchor="middle" fill="#555">${(row[xName] ?? 0).toLocaleString('en')}</text>`).join('\n')}
<text x="315" y="368" text-anchor="middle" fill="#222">${xName}</text>
${note === '' ? '' : `<text x="70" y="22" font-size="11" fill="#555">${note}</text>\n`}${series.map((name, index) => line(name, index)).join('\n')}
</svg>
`;

  function line(name: string, index: number): string {
    const points = rows.filter(row => (row[name] ?? 0) > 0).map(row => [x(row[xName] ?? 1), y(row[name] ?? 1), row[name]] as const);
    const colour = COLOURS[index % COLOURS.length];

    return [
      `<polyline points="${points.map(([px, py]) => `${px},${py}`).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...points.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="4" fill="${colour}"/>`),
      `<text x="580" y="${(points.at(-1)?.[1] ?? 0) + 4}" fill="${colour}">${name} (${points.at(-1)?.[2]})</text>`,
    ].join('\n');
  }
}

function scale(values: readonly number[], [from, to]: readonly [number, number]): (value: number) => number {
  const [low, high] = [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))];

  return value => Math.round(from + ((Math.log10(value) - low) / (high - low || 1)) * (to - from));
}

function decades(values: readonly number[]): number[] {
  const low = Math.ceil(Math.log10(Math.min(...values)));
  const high = Math.floor(Math.log10(Math.max(...values)));

  return Array.from({ length: high - low + 1 }, (_, n) => Number((10 ** (low + n)).toPrecision(1)));
}

const COLOURS = ['#0b6bcb', '#c2410c', '#15803d', '#7e22ce'];
