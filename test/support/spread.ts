/** Every item, each with the next hand that is free; what each fails with, with its name. */
export async function spread<Hand, Item>(
  hands: readonly Hand[],
  items: readonly Item[],
  work: (hand: Hand, item: Item) => Promise<void>,
  name: (item: Item) => string = String,
): Promise<readonly string[]> {
  const left = [...items];
  const broken: string[] = [];
  await Promise.all(
    hands.map(async (hand) => {
      for (let item = left.shift(); item !== undefined; item = left.shift())
        await work(hand, item).catch((error: Error) => broken.push(`${name(item!)}: ${error.message}`));
    }),
  );
  return broken;
}
