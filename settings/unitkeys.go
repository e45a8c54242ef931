package settings

import "strings"

// unitKeys are the keys of [Unit] in systemd.unit(5) 252 to 262, without those of conditions.
var unitKeys = [...]string{
	"After", "AllowIsolate", "Before", "BindsTo", "CollectMode", "Conflicts", "DefaultDependencies", "Description",
	"Documentation", "FailureAction", "FailureActionExitStatus", "IgnoreOnIsolate", "JobRunningTimeoutSec",
	"JobTimeoutAction", "JobTimeoutRebootArgument", "JobTimeoutSec", "JoinsNamespaceOf", "OnFailure", "OnFailureJobMode",
	"OnSuccess", "OnSuccessJobMode", "PartOf", "PropagatesReloadTo", "PropagatesStopTo", "RebootArgument",
	"RefuseManualStart", "RefuseManualStop", "ReloadPropagatedFrom", "Requires", "RequiresMountsFor", "Requisite",
	"SourcePath", "StartLimitAction", "StartLimitBurst", "StartLimitIntervalSec", "StopPropagatedFrom",
	"StopWhenUnneeded", "SuccessAction", "SuccessActionExitStatus", "SurviveFinalKillSignal", "Upholds", "Wants",
	"WantsMountsFor",
}

// serviceKeys are the keys of [Service] in systemd.service(5), systemd.exec(5), systemd.kill(5) and
// systemd.resource-control(5) 252 to 262 that are not among resources, and those of [Unit] that systemd takes here too.
var serviceKeys = [...]string{
	"AmbientCapabilities", "AppArmorProfile", "BPFDelegateAttachments", "BPFDelegateCommands", "BPFDelegateMaps",
	"BPFDelegatePrograms", "BPFProgram", "BindLogSockets", "BindNetworkInterface", "BindPaths", "BindReadOnlyPaths",
	"BusName", "CPUAffinity", "CPUPressureThresholdSec", "CPUPressureWatch", "CPUSchedulingPolicy",
	"CPUSchedulingPriority", "CPUSchedulingResetOnFork", "CPUSetPartition", "CacheDirectory", "CacheDirectoryAccounting",
	"CacheDirectoryMode", "CacheDirectoryQuota", "CapabilityBoundingSet", "ConfigurationDirectory",
	"ConfigurationDirectoryMode", "CoredumpFilter", "CoredumpReceive", "Delegate", "DelegateNamespaces",
	"DelegateSubgroup", "DisableControllers", "DynamicUser", "Environment", "EnvironmentFile", "ExecCondition",
	"ExecPaths", "ExecReload", "ExecReloadPost", "ExecSearchPath", "ExecStart", "ExecStartPost", "ExecStartPre",
	"ExecStop", "ExecStopPost", "ExitType", "ExtensionDirectories", "ExtensionImagePolicy", "ExtensionImages",
	"FailureAction", "FileDescriptorStoreMax", "FileDescriptorStorePreserve", "FinalKillSignal", "Group", "GuessMainPID",
	"IOPressureThresholdSec", "IOPressureWatch", "IOSchedulingClass", "IOSchedulingPriority", "IPAddressAllow",
	"IPAddressDeny", "IPCNamespacePath", "IPEgressFilterPath", "IPIngressFilterPath", "IgnoreSIGPIPE", "ImportCredential",
	"InaccessiblePaths", "KeyringMode", "KillMode", "KillSignal", "LUOSession", "LoadCredential",
	"LoadCredentialEncrypted", "LockPersonality", "LogExtraFields", "LogFilterPatterns", "LogLevelMax", "LogNamespace",
	"LogRateLimitBurst", "LogRateLimitIntervalSec", "LogsDirectory", "LogsDirectoryAccounting", "LogsDirectoryMode",
	"LogsDirectoryQuota", "ManagedOOMMemoryPressureDurationSec", "ManagedOOMPreference", "MemoryDenyWriteExecute",
	"MemoryKSM", "MemoryPressureThresholdSec", "MemoryPressureWatch", "MemoryTHP", "MountAPIVFS", "MountFlags",
	"MountImagePolicy", "MountImages", "NFTSet", "NUMAMask", "NUMAPolicy", "NetworkNamespacePath", "Nice", "NoExecPaths",
	"NoNewPrivileges", "NonBlocking", "NotifyAccess", "OOMRules", "OpenFile", "PAMName", "PIDFile", "PassEnvironment",
	"Personality", "PrivateBPF", "PrivateDevices", "PrivateIPC", "PrivateMounts", "PrivateNetwork", "PrivatePIDs",
	"PrivateTmp", "PrivateUsers", "ProcSubset", "ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectHostname",
	"ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "ProtectSystem", "ReadOnlyPaths",
	"ReadWritePaths", "RebootArgument", "RefreshOnReload", "ReloadSignal", "RemainAfterExit", "RemoveIPC", "Restart",
	"RestartForceExitStatus", "RestartKillSignal", "RestartMaxDelaySec", "RestartMode", "RestartPreventExitStatus",
	"RestartRandomizedDelaySec", "RestartSec", "RestartSteps", "RestrictAddressFamilies", "RestrictFileSystems",
	"RestrictNamespaces", "RestrictNetworkInterfaces", "RestrictRealtime", "RestrictSUIDSGID", "RootDirectory",
	"RootDirectoryStartOnly", "RootEphemeral", "RootHash", "RootHashSignature", "RootImage", "RootImageOptions",
	"RootImagePolicy", "RootMStack", "RootVerity", "RuntimeDirectory", "RuntimeDirectoryMode", "RuntimeDirectoryPreserve",
	"RuntimeMaxSec", "RuntimeRandomizedExtraSec", "SELinuxContext", "SecureBits", "SendSIGHUP", "SendSIGKILL",
	"SetCredential", "SetCredentialEncrypted", "SetLoginEnvironment", "Slice", "SmackProcessLabel", "SocketBindAllow",
	"SocketBindDeny", "Sockets", "StandardError", "StandardInput", "StandardInputData", "StandardInputText",
	"StandardOutput", "StartLimitAction", "StartLimitBurst", "StartLimitInterval", "StateDirectory",
	"StateDirectoryAccounting", "StateDirectoryMode", "StateDirectoryQuota", "SuccessExitStatus", "SupplementaryGroups",
	"SyslogFacility", "SyslogIdentifier", "SyslogLevel", "SyslogLevelPrefix", "SystemCallArchitectures",
	"SystemCallErrorNumber", "SystemCallFilter", "SystemCallLog", "TTYColumns", "TTYPath", "TTYReset", "TTYRows",
	"TTYVHangup", "TTYVTDisallocate", "TemporaryFileSystem", "TimeoutAbortSec", "TimeoutCleanSec", "TimeoutSec",
	"TimeoutStartFailureMode", "TimeoutStartSec", "TimeoutStopFailureMode", "TimeoutStopSec", "TimerSlackNSec", "Type",
	"UMask", "USBFunctionDescriptors", "USBFunctionStrings", "UnsetEnvironment", "User", "UserNamespacePath",
	"UtmpIdentifier", "UtmpMode", "WatchdogSec", "WatchdogSignal", "WorkingDirectory",
}

// installKeys are the keys of [Install].
var installKeys = [...]string{"WantedBy", "RequiredBy", "UpheldBy", "Alias", "Also", "DefaultInstance"}

// isUnitKey reports whether systemd has the key in [Unit].
func isUnitKey(key string) bool {
	return isOneOf(key, unitKeys[:]) || strings.HasPrefix(key, "Condition") || strings.HasPrefix(key, "Assert")
}

// isServiceKey reports whether systemd has the key in [Service].
func isServiceKey(key string) bool { return checkerOf(key) != nil || isOneOf(key, serviceKeys[:]) }

func isOneOf(key string, list []string) bool {
	for i := range list {
		if list[i] == key {
			return true
		}
	}
	return false
}

// homeOf returns the section that a key belongs in, or nothing. What both the container and its unit have is the container's.
func homeOf(key string) string {
	for _, section := range [...]string{"Exec", "Files", "Network"} {
		if lookup(section, key) != nil {
			return section
		}
	}
	switch {
	case isServiceKey(key):
		return "Service"
	case isUnitKey(key):
		return "Unit"
	case isOneOf(key, installKeys[:]):
		return "Install"
	}
	return ""
}
