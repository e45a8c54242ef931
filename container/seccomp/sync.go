package seccomp

// oDSync is O_DSYNC, a part of O_SYNC, on all architectures here (asm-generic/fcntl.h).
const oDSync = 0x1000

// withoutSync returns what happens to a call that is allowed where data is never synchronized: those of @sync do nothing and
// succeed, and files cannot be opened with O_SYNC or O_DSYNC. openat2(2) has its flags in memory, where the filter cannot look.
func withoutSync(c call) action {
	switch c.name {
	case "open":
		return checkOpen
	case "openat":
		return checkOpenAt
	case "fdatasync", "fsync", "sync_file_range", "sync_file_range2", "syncfs":
		return succeedOnFile
	}
	if c.groups&groupSync != 0 {
		return succeed
	}
	return allow
}

// openFlags ends the program with what happens to a call whose flags are at the offset: EINVAL if it wants to synchronize.
func (a *assembler) openFlags(offset uint32) label {
	refused, allowed := a.ret(returnErrno|einval), a.ret(returnAllow)
	a.branch(jumpBitsSet, oDSync, refused, allowed)
	return a.emit(loadAbsolute, offset)
}

// fileOnly ends the program with success, but for what is no descriptor: the kernel says what is wrong with it.
func (a *assembler) fileOnly() label {
	negative, success := a.ret(returnAllow), a.ret(returnErrno)
	a.branch(jumpGreaterEqual, 1<<31, negative, success)
	return a.emit(loadAbsolute, offsetFirst)
}
