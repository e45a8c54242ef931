// Package kernel acts on what package network decides: it reads, watches and configures links over rtnetlink(7), writes
// sysctls, keeps the nft table of ours and files on disk. It works in the network namespace of the calling process and
// holds no policy.
package kernel
