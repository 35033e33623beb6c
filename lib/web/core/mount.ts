/** The target of a request without the part that names the tenant: `/t/acme/books?page=2` becomes `/books?page=2`. */
export function withoutMount(target: string, mountPath: string): string {
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0] ?? '';
  const rest = target.slice(origin.length + mountPath.length);

  return origin + (rest.startsWith('/') ? rest : `/${rest}`);
}
