/** Draws lines over what it drew before, on a terminal; what stood there before the first drawing stays. */
export class Screen {
  #drawn = 0;

  get isClean(): boolean {
    return this.#drawn === 0;
  }

  draw(lines: readonly string[]): void {
    const [width, height] = [process.stdout.columns || 80, process.stdout.rows || 24];
    const shown = lines.slice(-(height - 1)).map((line) => line.slice(0, width - 1));
    const back = this.#drawn > 0 ? `\u001b[${this.#drawn}A\u001b[J` : '';
    process.stdout.write(`${back}${shown.map((line) => `${line}\n`).join('')}`);
    this.#drawn = shown.length;
  }
}
