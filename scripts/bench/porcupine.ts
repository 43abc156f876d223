// Measures Porcupine itself, through the Go toolchain, on the recorded histories in its own checkout. The
// checkout is not written to: the measuring test is laid over it (go test -overlay).

const TEST = `package porcupine

import (
	"fmt"
	"testing"
	"time"
)

func bestOfFive(name string, run func()) {
	run()
	best := time.Duration(1 << 62)
	for i := 0; i < 5; i++ {
		from := time.Now()
		run()
		if took := time.Since(from); took < best {
			best = took
		}
	}
	fmt.Printf("measured %s %f\\n", name, float64(best.Microseconds())/1000)
}

func TestMeasureForComparison(t *testing.T) {
	for _, number := range []string{"002", "007"} {
		events := parseJepsenLog("test_data/jepsen/etcd_" + number + ".log")
		bestOfFive("etcd_"+number, func() { CheckEvents(etcdModel, events) })
	}
	c50 := parseKvLog("test_data/kv/c50-ok.txt")
	bestOfFive("c50-ok", func() { CheckEvents(kvModel, c50) })
	for _, name := range []string{"c10-ok", "c10-bad"} {
		events := parseKvLog("test_data/kv/" + name + ".txt")
		bestOfFive(name, func() { CheckEvents(kvNoPartitionModel, events) })
	}
}
`;

const TIMEOUT = "300s";

/** Times in milliseconds by history, best of five after one warm-up, on one core. */
export async function measurePorcupine(checkout: string): Promise<Record<string, number>> {
  const folder = await Deno.realPath(checkout);
  const temporary = await Deno.makeTempDir();
  try {
    const test = `${temporary}/measure_test.go`;
    await Deno.writeTextFile(test, TEST);
    const overlay = `${temporary}/overlay.json`;
    const replace = { [`${folder}/zz_measure_test.go`]: test };
    await Deno.writeTextFile(overlay, JSON.stringify({ Replace: replace }));
    const { success, stdout, stderr } = await new Deno.Command("go", {
      args: [
        "test",
        "-overlay",
        overlay,
        "-run",
        "^TestMeasureForComparison$",
        "-v",
        "-count=1",
        "-timeout",
        TIMEOUT,
        ".",
      ],
      cwd: folder,
      env: { GOMAXPROCS: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    if (!success) {
      throw new Error(`Porcupine can't be measured: ${text}${new TextDecoder().decode(stderr)}`);
    }
    const times: Record<string, number> = {};
    for (const [, name, ms] of text.matchAll(/measured (\S+) ([\d.]+)/g)) times[name!] = Number(ms);
    return times;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}
