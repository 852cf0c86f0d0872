// A report of a process opens from a file with the network cut and says what vmmap says.
export default async function (b) {
  const { pid } = await b.target("python3", ["-u", "-c", "print('ready'); input()"]);
  const page = await b.open(b.report(pid, "python"));
  b.check((await page.textContent("h1"))?.includes("python3"), "the heading names the target");
  await b.picture(page, "overview");
}
