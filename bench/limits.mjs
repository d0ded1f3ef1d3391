/**
 * What the machine allows, in the browser, now.
 */

/** GB/s of reading `bytes`, and GMAC/s of int8 and f32, by so many threads of a build. */
export async function limits(browser, url, { variant, bytes, threads }) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${url}/bench/web/kernels.html`);
    await page.waitForFunction("window.measure");
    const [line] = await page.evaluate(
      ([module, work]) => window.measure(module, work),
      [`/modules/bench-kernels-${variant}-threads.wasm`, { threads, bytes, rounds: 9 }],
    );
    return JSON.parse(line);
  } finally {
    await context.close();
  }
}
