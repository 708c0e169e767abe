/** A numeric as PostgreSQL prints it, without the zeros that its scale adds: "10.00" is "10". */
export function plain(numeric: string): string {
  return numeric.includes('.') ? numeric.replace(/\.?0+$/, '') : numeric;
}
