/** Stands for the call to an airline. */
export async function reserveSeat(flight: string): Promise<string> {
  return `${flight}/12A`;
}
