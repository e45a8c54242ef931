package units

import "nspawnkit/settings"

// Effect says when an edit takes effect in a container that runs.
type Effect string

// What must be done for an edit to count, and what the container feels of it.
const (
	Live    Effect = "live"          // after daemon-reload, in the running container
	Reload  Effect = "daemon-reload" // after daemon-reload, from the next job of the unit on; the container runs on
	Restart Effect = "restart"       // at the next start
)

// EffectOf returns when a change of a line takes effect, and why. Sections are those of the .nspawn file.
func EffectOf(section, key string) (effect Effect, why string) {
	switch section {
	case "Unit":
		return Reload, "systemd goes by it in the next start or stop"
	case "Install":
		return Reload, "systemd goes by it when that unit starts, as at boot"
	case "Service":
		switch {
		case settings.IsResource(key):
			return Live, "systemd writes it to the control group of the running container"
		case isForManager(key):
			return Reload, "systemd goes by it when the container ends, is stopped or started again"
		}
		return Restart, "systemd goes by it when it starts nspawn-exec"
	}
	for _, k := range settings.Keys() {
		if k.Section == section && k.Name == key && k.Live {
			return Live, "the running container follows"
		}
	}
	return Restart, "nspawn-exec reads it when the container starts"
}

// isForManager is true for the keys of [Service] that systemd itself looks at while the unit runs or stops
// (systemd.service(5), systemd.kill(5)). WatchdogSec= is none of them: nspawn-exec learns of it when it starts.
func isForManager(key string) bool {
	switch key {
	case "Restart", "RestartSec", "RestartSteps", "RestartMaxDelaySec", "RestartRandomizedDelaySec", "RestartMode",
		"RestartPreventExitStatus", "TimeoutSec", "TimeoutStartSec", "TimeoutStartFailureMode", "TimeoutStopSec", "TimeoutAbortSec", "TimeoutStopFailureMode", "RuntimeMaxSec",
		"ExecStopPost", "ExecReload", "ExecReloadPost", "KillSignal", "RestartKillSignal", "FinalKillSignal",
		"WatchdogSignal", "SendSIGHUP", "SendSIGKILL",
		"StartLimitInterval", "StartLimitBurst", "StartLimitAction", "FailureAction", "RebootArgument":
		return true
	}
	return false
}
