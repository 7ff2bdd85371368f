// How calls go that a policy guards, on the real library: one JSON object. The same for both libraries, whose policies
// are called in the same way: node runs.mjs FOLDER
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const { PaymentChargeCard } = await import(new URL("payment-charge-card.js", folder));
const { Unavailable, Unreached } = await import(new URL("resilience.js", folder));

const instead = async (_, failure) => `instead, for ${failure.constructor.name}`;
const isOpen = (made) => made.breaker.opened ?? made.breaker.state === 1;
const told = {};

{
  const keys = [];
  const made = new PaymentChargeCard(async (_, key) => {
    keys.push(key);
    if (keys.length <= 2) {
      throw new Unavailable("503");
    }
    return "charged";
  }, instead);
  told.mended = await made.call("card", "order-7");
  told.keys = keys;
}
{
  let tries = 0;
  const made = new PaymentChargeCard(async () => {
    tries += 1;
    throw new Unreached("refused");
  }, instead);
  for (let number = 0; !isOpen(made) && number < 200; number += 1) {
    await made.call("card", `order-${number}`);
  }
  told.openedAfter = tries;
  told.whileOpen = await made.call("card", "order-x");
  told.triesWhileOpen = tries - told.openedAfter;
}
{
  let tries = 0;
  const made = new PaymentChargeCard(async () => {
    tries += 1;
    throw new TypeError("card refused");
  }, instead);
  told.answer = await made.call("card", "order-8").catch((error) => `${error.constructor.name} after ${tries}`);
}
{
  let tries = 0;
  const made = new PaymentChargeCard(async () => {
    tries += 1;
    throw new Unreached("refused");
  }, instead);
  while (made.budget.spend()) {
    tries = 0;
  }
  // Four calls pay for one retry.
  for (let number = 0; number < 4; number += 1) {
    await made.call("card", `order-${number}`);
  }
  told.triesOfFourCalls = tries;
}
{
  let go;
  const gone = new Promise((resolve) => {
    go = resolve;
  });
  const made = new PaymentChargeCard(async () => {
    await gone;
    return "charged";
  }, instead);
  const underWay = Array.from({ length: 8 }, (_, number) => made.call("card", `order-${number}`));
  await Promise.race(underWay);
  go();
  told.eightAtOnce = (await Promise.all(underWay)).sort();
}
{
  let begun = 0;
  let ended = 0;
  const made = new PaymentChargeCard(
    (_, __, signal) =>
      new Promise((_, reject) => {
        begun += 1;
        signal.addEventListener("abort", () => {
          ended += 1;
          reject(signal.reason);
        });
      }),
    instead,
  );
  told.cutShort = await made.call("card", "order-9");
  told.allTriesTold = begun === ended && begun > 1;
}
{
  // What each wait is drawn of.
  const random = Math.random;
  const seen = [];
  Math.random = () => {
    seen.push(random());
    return seen.at(-1);
  };
  const made = new PaymentChargeCard(async () => {
    throw new Unavailable("503");
  }, instead);
  await made.call("card", "order-10");
  Math.random = random;
  told.waitsDrawn = seen.length;
}
console.log(JSON.stringify(told));
