package hack_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// heals names, for each row of the README's table of what heals, the tests that do it.
var heals = map[string]string{
	"the process crashes, or is killed or stopped through Docker":                                                                 "TestDisturbancesAreHealedOnARealEngine TestDisturbancesFromOutside TestCrashLoop TestOnFailureOnARealEngine TestHowFastIsHealed",
	"the container is removed, or taken off its network":                                                                          "TestNetworks TestDisturbancesAreHealedOnARealEngine TestLifecycleOnARealEngine TestHowFastIsHealed",
	"it is renamed, or its limits or Docker's own restart policy are changed":                                                     "TestDisturbancesAreHealedOnARealEngine TestDriftRoundTripOnARealEngine TestHowFastIsHealed",
	"it is paused (`docker pause`, `docker commit`, a backup tool)":                                                               "TestExternalPauseOnARealEngine TestExternalCommitOnARealEngine TestPauseOverARestartOfTheDaemon TestHowFastIsHealed",
	"its cgroup is written to by hand, or the kernel does not support a limit":                                                    "TestCgroupWrittenByHand TestEngineWithoutLimits TestLimitsThatAreNotEnforced",
	"the engine does not publish its ports":                                                                                       "TestEngineThatPublishesNothing",
	"the firewall of containers is flushed or altered (`nft flush ruleset`, firewalld)":                                           "TestTableIsPutBack TestFirewallThatCannotBeHad TestFirewallThatIsMissing",
	"somebody creates a container under its name and labels, with whatever settings":                                              "TestDriftRoundTripOnARealEngine TestRecreationThatDoesNotHelp",
	"it is started and should be stopped":                                                                                         "TestDisturbancesFromOutside",
	"its image is removed":                                                                                                        "TestImageIsRemovedOnARealEngine TestSnapshotIsRemovedOnARealEngine",
	"all that is unused is pruned, every night (`docker system prune -af`)":                                                       "TestPruneOfEverything TestInstallationOutlivesAPrune TestNetworkIsMadeAgainOnARealEngine",
	"its entry script is altered or removed":                                                                                      "TestEntryScriptIsRestoredOnARealEngine",
	"somebody's container has or takes its name":                                                                                  "TestForeignContainerWithOurNameOnARealEngine TestForeignContainerTakesOurNameOnARealEngine TestForeignContainersComeAndGo TestOthersAreLeftAlone",
	"a mount source, a volume's directory or a whole disk is not there at a start":                                                "TestMountIsCheckedAtEveryStart TestMissingMountIsWaitedFor",
	"a volume's directory is replaced under its process":                                                                          "TestReplacedUnderItsProcess TestVolumeReplaced",
	"a volume's directory, or the directory of a container, is replaced by a link, or a mount source by one that leads elsewhere": "TestVolumeReplaced TestMountIsCheckedAtEveryStart TestMountThatEscapes TestStoppedContainerStartedByHand",
	"the engine restarts, and containers live on":                                                                                 "TestEngineRestarts TestEngineThatGoesAndComes",
	"the engine restarts or is killed, and containers end with it":                                                                "TestEngineRestarts TestEngineThatEndsContainersOnItsWayDown",
	"the machine reboots, or loses its power":                                                                                     "TestEngineRestarts TestOnFailureOnARealEngine TestPowerCut",
	"the engine keeps remains of a run (`task already exists`, `failed to start shim: ... file exists`), and refuses each start":  "TestRemainsOnARealEngine TestRemainsOfAnEarlierRun",
	"the engine sends no more events, or only some of them":                                                                       "TestFaultsOfTheEngine TestAuditReachesAll TestChangeWithoutAnEvent",
	"the engine hangs": "TestEngineThatHangs",
	"the engine does not answer for some containers":                                         "TestNothingBlocks TestHungStartsBlockNothingForLong",
	"a step fails, or succeeds without effect, or leads in a circle back to one that failed": "TestFailingStepIsTriedEverLess TestStepWithoutEffectIsExecutedEverLess TestCircleOfStepsIsSlow",
	"the clock is set by an hour":                                                            "TestClockThatWasSet TestHistoriesOfFaults",
	"the daemon is killed":                                                                   "TestDaemonStopsAndStarts TestCrashAnywhere TestKilledWriter TestKilledAtAStartCall",
	"the daemon dies during an installation":                                                 "TestCrashInInstallation TestInstallationEndsUnwatched",
	"an installation is cut off by engine or host":                                           "TestInstallContainerVanishes TestEngineRestarts",
	"the disk of the data directory is low (below 256 MiB free)":                             "TestDiskThatIsLow",
	"it is full (below 64 MiB, down to nothing)":                                             "TestReserveOnAFullDisk TestReserveIsBounded TestDiskOfTheDataDirectoryIsFull TestFullDiskThatTakesNoRecord TestInstallationWaitsForTheDisk",
	"the engine's own disk is full":                                                          "TestFullDiskOfTheEngine",
	"the data directory is moved, here or to another engine":                                 "TestDataDirectoryMoves TestDataDirectoryOnAnotherEngine",
	"the data directory is copied, and the copy started on the same engine":                  "TestCopyIsRefused TestCopyAsAnInstanceOfItsOwn TestSettle",
	"the data directory is lost":                                                             "TestDataDirectoryIsLost",
}

// TestWhatHealsIsHeld compares that table with the README, and with the tests that there are.
func TestWhatHealsIsHeld(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## What heals\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]bool{}
	for _, line := range strings.Split(section, "\n") {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| ") && cells[0] != "| what happens" {
			rows[strings.TrimPrefix(cells[0], "| ")] = true
		}
	}
	tests := testNames(t)
	for row, by := range heals {
		if !rows[row] {
			t.Errorf("the README has no row %q", row)
		}
		for name := range strings.FieldsSeq(by) {
			if !tests[name] {
				t.Errorf("%q is held by %s, which is not there", row, name)
			}
		}
	}
	for row := range rows {
		if heals[row] == "" {
			t.Errorf("no test holds the row %q", row)
		}
	}
}

// testNames returns the names of all tests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	head := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path.Base(name), "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, name)
		for _, match := range head.FindAllSubmatch(text, -1) {
			names[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
