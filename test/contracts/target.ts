import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import type { Fingerprint } from '../../src/domain/certificate.js';
import type { Target } from '../../src/targets/target.js';
import type { KeyPair } from '../../src/x509/pair.js';
import { eventually } from '../support/eventually.js';
import { silent } from '../support/target.js';

export interface TargetUnderTest {
  /** Made anew at each call, as another process would make it. */
  target(): Target;
  /** What the target held before any delivery. */
  readonly initial: KeyPair;
  leaf(): Promise<KeyPair>;
  /** The truth: the leaf that each running process uses, by its name. */
  inUse(): Promise<ReadonlyMap<string, Fingerprint>>;
  /** Something that changes with each start of a process. */
  starts(): Promise<readonly string[]>;
}

/** What every kind of target promises (src/targets/target.ts). `reloads`: its processes take up a delivery by themselves. */
export function targetContract(make: () => Promise<TargetUnderTest>, { reloads = false } = {}): void {
  let under: TargetUnderTest;
  let [first, second]: KeyPair[] = [];
  before(async () => {
    under = await make();
    [first, second] = await Promise.all([under.leaf(), under.leaf()]);
  });

  async function used(by: KeyPair): Promise<void> {
    const { fingerprint } = by.certificate;
    await eventually(async () => {
      const leaves = [...(await under.inUse()).values()];
      assert.ok(leaves.length > 0, 'no process runs');
      assert.deepEqual(new Set(leaves), new Set([fingerprint]));
      return true;
    });
  }

  it('says what is in place and who uses it, and changes nothing by looking', async () => {
    const starts = await under.starts();
    const facts = await under.target().inspect();
    assert.equal(facts.current?.fingerprint, under.initial.certificate.fingerprint);
    assert.equal(facts.consumers.length, 1);
    assert.equal((await under.target().read())?.key.reveal(), under.initial.key.reveal());
    assert.deepEqual(await under.starts(), starts);
  });

  it('what somebody else put there is no delivery', async () => {
    assert.equal(await under.target().delivered(), undefined);
  });

  it('a delivered pair is what is in place', async () => {
    const delivery = await under.target().deliver(first!);
    assert.equal(delivery.leaf, first!.certificate.fingerprint);
    assert.deepEqual(await under.target().delivered(), delivery);
    assert.equal((await under.target().read())?.key.reveal(), first!.key.reveal());
  });

  it('safety 19: a leaf delivered again, after a crash, is the same delivery', async () => {
    const delivery = await under.target().delivered();
    assert.deepEqual(await under.target().deliver(first!), delivery);
  });

  if (!reloads)
    it('safety 19: a delivery alone proves nothing', async () => {
      const { adopted, holders } = await under.target().adoption((await under.target().delivered())!);
      assert.equal(adopted, false);
      assert.ok(holders.length > 0 && holders.every((holder) => !holder.adopted && holder.evidence));
    });

  it('safety 19: after the rollout everybody uses it, and the adoption says so', async () => {
    const delivery = (await under.target().delivered())!;
    await under.target().rollOut(delivery, silent);
    await used(first!);
    const { adopted, holders } = await eventually(async () => {
      const adoption = await under.target().adoption(delivery);
      return adoption.adopted && adoption;
    });
    assert.ok(adopted);
    assert.deepEqual(holders.map(({ name }) => name).sort(), [...(await under.inUse()).keys()].sort());
  });

  it('safety 19: a leaf delivered and rolled out twice restarts nothing twice', async () => {
    const starts = await under.starts();
    const restarting = () => assert.fail('it says that it restarts something');
    await under.target().rollOut(await under.target().deliver(first!), silent, restarting);
    assert.deepEqual(await under.starts(), starts);
  });

  it('safety 19: the next leaf makes the proof of the former one void', async () => {
    const former = (await under.target().delivered())!;
    const delivery = await under.target().deliver(second!);
    assert.equal((await under.target().adoption(former)).adopted, false);
    let restarts = 0;
    await under.target().rollOut(delivery, silent, () => (restarts += 1));
    assert.equal(restarts, reloads ? 0 : 1, 'it says what it restarts (safety 27)');
    await used(second!);
    assert.equal((await under.target().adoption(former)).adopted, false);
  });

  it('a former pair goes back in as any other does', async () => {
    const delivery = await under.target().deliver(under.initial);
    await under.target().rollOut(delivery, silent);
    await used(under.initial);
    await eventually(async () => (await under.target().adoption(delivery)).adopted);
  });
}
