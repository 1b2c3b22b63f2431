//go:build !purego

#include "textflag.h"

// The step of RFC 5831 section 5 with AVX-512 VBMI and GFNI. Go's part of the
// explanation is in vector_amd64.go: what the planes and the constants are.
//
// Registers of all functions here:
//	SI	*constants
//	DI	scratch memory of the step, at a multiple of 64
//	Z18	0f in each byte
//	Z19	the place of each byte in its word, times 16
//	Z20	the matrix that transposes 8 by 8 bits
//	Z21	chooses the even bytes of a lane, twice
//	Z22	chooses the odd bytes of a lane, twice
//	Z23-Z31	of no lasting value

// Offsets into constants.
#define IDENTITY 0
#define EVEN     16
#define ODD      32
#define POSITION 48
#define MASK     64
#define PSI74    80
#define PSI62    112
#define PSI61    144
#define CHAIN    176
#define KEYSH    208
#define KEYSM    336
#define KEYSC    464

// NIBBLES is an offset into tables.
#define NIBBLES 4096

// Offsets into the scratch memory: M's part of the next keys, the keys, and
// the planes of H, of the next M and of psi^62(M) + psi^61(H). That of a
// quad is QUADSIZE bytes long.
#define KM 0
#define K  512
#define PH 1024
#define PE 1280
#define PM 1536
#define QUADSIZE 1792

#define CONSTANTS \
	VBROADCASTI32X4 MASK(SI), Z18; \
	VBROADCASTI32X4 POSITION(SI), Z19; \
	VBROADCASTI32X4 IDENTITY(SI), Z20; \
	VBROADCASTI32X4 EVEN(SI), Z21; \
	VBROADCASTI32X4 ODD(SI), Z22

// PLANES makes the four planes A to D, each twice in its lane, of the values
// whose lower halves are the lanes of L and whose upper ones those of H.
#define PLANES(L, H, A, B, C, D) \
	VPSHUFB        Z21, L, A; \
	VPSHUFB        Z22, L, C; \
	VPSHUFB        Z21, H, B; \
	VPSHUFB        Z22, H, D; \
	VGF2P8AFFINEQB $0, A, Z20, A; \
	VGF2P8AFFINEQB $0, B, Z20, B; \
	VGF2P8AFFINEQB $0, C, Z20, C; \
	VGF2P8AFFINEQB $0, D, Z20, D

// STORE4 stores four planes, LOAD4 loads them.
#define STORE4(off, A, B, C, D) \
	VMOVDQU64 A, (off+0)(DI); \
	VMOVDQU64 B, (off+64)(DI); \
	VMOVDQU64 C, (off+128)(DI); \
	VMOVDQU64 D, (off+192)(DI)

#define LOAD4(off, A, B, C, D) \
	VMOVDQU64 (off+0)(DI), A; \
	VMOVDQU64 (off+64)(DI), B; \
	VMOVDQU64 (off+128)(DI), C; \
	VMOVDQU64 (off+192)(DI), D

// ROW is R = row . (A, B), of a linear map of planes: a row has a matrix for
// the first eight and one for the last eight words. T is overwritten.
#define ROW(row, A, B, R, T) \
	VGF2P8AFFINEQB.BCST $0, (row+0)(SI), A, R; \
	VGF2P8AFFINEQB.BCST $0, (row+8)(SI), B, T

// OTHERPART is one plane of psi^62(M) + psi^61(H), what the shuffle adds to
// psi^74 of the ciphertext; it goes to memory. MA, MB are planes of M and HA,
// HB those of H.
#define OTHERPART(row, MA, MB, HA, HB, off) \
	ROW(PSI62+row, MA, MB, Z31, Z2); \
	ROW(PSI61+row, HA, HB, Z3, Z6); \
	VPTERNLOGD $0x96, Z31, Z2, Z3; \
	VPXORD     Z3, Z6, Z6; \
	VMOVDQU64  Z6, (off)(DI)

// SHUFFLE is a plane of the next H: psi^74 of the planes A, B of the
// ciphertext, and the other part. T is overwritten.
#define SHUFFLE(row, A, B, off, R, T) \
	ROW(PSI74+row, A, B, R, T); \
	VPTERNLOGD $0x96, (off)(DI), T, R

// MKEYS makes M's part of the keys' words 2w and 2w+1 of the planes A to D
// of M and stores it.
#define MKEYS(w, q, A, B, C, D) \
	VBROADCASTI32X4 (KEYSM+32*w)(SI), Z31; \
	VBROADCASTI32X4 (KEYSM+32*w+16)(SI), Z2; \
	VBROADCASTI32X4 (KEYSC+32*w)(SI), Z3; \
	VBROADCASTI32X4 (KEYSC+32*w+16)(SI), Z6; \
	VGF2P8AFFINEQB  $0, A, Z31, Z7; \
	VGF2P8AFFINEQB  $0, B, Z2, Z10; \
	VGF2P8AFFINEQB  $0, C, Z31, Z11; \
	VGF2P8AFFINEQB  $0, D, Z2, Z14; \
	VPTERNLOGD      $0x96, Z7, Z10, Z3; \
	VPTERNLOGD      $0x96, Z11, Z14, Z6; \
	VMOVDQU64       Z3, (q+KM+128*w)(DI); \
	VMOVDQU64       Z6, (q+KM+128*w+64)(DI)

// KEYS makes the keys' words 2w and 2w+1 of M's part and the planes A to D
// of H and stores them.
#define KEYS(w, q, A, B, C, D) \
	VBROADCASTI32X4 (KEYSH+32*w)(SI), Z31; \
	VBROADCASTI32X4 (KEYSH+32*w+16)(SI), Z2; \
	VGF2P8AFFINEQB  $0, A, Z31, Z3; \
	VGF2P8AFFINEQB  $0, B, Z2, Z6; \
	VGF2P8AFFINEQB  $0, C, Z31, Z7; \
	VGF2P8AFFINEQB  $0, D, Z2, Z10; \
	VPTERNLOGD      $0x96, (q+KM+128*w)(DI), Z3, Z6; \
	VPTERNLOGD      $0x96, (q+KM+128*w+64)(DI), Z7, Z10; \
	VMOVDQU64       Z6, (q+K+128*w)(DI); \
	VMOVDQU64       Z10, (q+K+128*w+64)(DI)

// START begins with the chain whose halves are the lanes of L and H: it
// stores its planes, makes the keys and sets X and Y to the lower and upper
// words of the four blocks to encrypt. M's part of the keys must be there.
#define START(q, L, H, X, Y) \
	PLANES(L, H, Z23, Z24, Z25, Z26); \
	STORE4(q+PH, Z23, Z24, Z25, Z26); \
	KEYS(0, q, Z23, Z24, Z25, Z26); \
	KEYS(1, q, Z23, Z24, Z25, Z26); \
	KEYS(2, q, Z23, Z24, Z25, Z26); \
	KEYS(3, q, Z23, Z24, Z25, Z26); \
	VSHUFPS $0x88, H, L, X; \
	VSHUFPS $0xdd, H, L, Y

// NEXTM takes the next M from the lanes of L and H: its planes are stored and
// its part of the next keys is made.
#define NEXTM(q, L, H) \
	PLANES(L, H, Z23, Z24, Z25, Z26); \
	STORE4(q+PM, Z23, Z24, Z25, Z26); \
	MKEYS(0, q, Z23, Z24, Z25, Z26); \
	MKEYS(1, q, Z23, Z24, Z25, Z26); \
	MKEYS(2, q, Z23, Z24, Z25, Z26); \
	MKEYS(3, q, Z23, Z24, Z25, Z26)

// BESIDES does what a step can do without the ciphertext.
#define BESIDES(q) \
	LOAD4(q+PM, Z23, Z24, Z25, Z26); \
	LOAD4(q+PH, Z27, Z28, Z29, Z30); \
	OTHERPART(0, Z23, Z24, Z27, Z28, q+PE); \
	OTHERPART(16, Z23, Z24, Z27, Z28, q+PE+64); \
	OTHERPART(0, Z25, Z26, Z29, Z30, q+PE+128); \
	OTHERPART(16, Z25, Z26, Z29, Z30, q+PE+192)

// FINISH makes the next H of the ciphertext, given as the lanes of L and H,
// and with it the next keys. X and Y become the words to encrypt.
#define FINISH(q, L, H, X, Y) \
	PLANES(L, H, Z23, Z24, Z25, Z26); \
	SHUFFLE(0, Z23, Z24, q+PE, Z27, Z31); \
	SHUFFLE(16, Z23, Z24, q+PE+64, Z28, Z2); \
	SHUFFLE(0, Z25, Z26, q+PE+128, Z29, Z3); \
	SHUFFLE(16, Z25, Z26, q+PE+192, Z30, Z6); \
	STORE4(q+PH, Z27, Z28, Z29, Z30); \
	VBROADCASTI32X4 (CHAIN+0)(SI), Z31; \
	VBROADCASTI32X4 (CHAIN+16)(SI), Z2; \
	VGF2P8AFFINEQB  $0, Z27, Z31, Z23; \
	VGF2P8AFFINEQB  $0, Z28, Z2, Z24; \
	VGF2P8AFFINEQB  $0, Z29, Z31, Z25; \
	VGF2P8AFFINEQB  $0, Z30, Z2, Z26; \
	VPXORD          Z23, Z24, Z23; \
	VPXORD          Z25, Z26, Z25; \
	VPUNPCKLBW      Z25, Z23, X; \
	VPUNPCKHBW      Z25, Z23, Y; \
	KEYS(0, q, Z27, Z28, Z29, Z30); \
	KEYS(1, q, Z27, Z28, Z29, Z30); \
	KEYS(2, q, Z27, Z28, Z29, Z30); \
	KEYS(3, q, Z27, Z28, Z29, Z30)

// The cipher, sixteen blocks a register: Z16 and Z17 have the S-boxes of the
// lower and upper nibbles, 16 bytes a box. Between rounds the words are kept
// rotated right by eleven bits, so that the rotation is at the word read, and
// the substitution needs none. T and U are overwritten.
#define ROUND(k, X, Y, T, U) \
	VPROLD     $11, X, T; \
	VPADDD     (k)(DI), T, T; \
	VPSRLD     $4, T, U; \
	VPTERNLOGD $0xea, Z19, Z18, T; \
	VPTERNLOGD $0xea, Z19, Z18, U; \
	VPERMB     Z16, T, T; \
	VPERMB     Z17, U, U; \
	VPTERNLOGD $0x96, T, U, Y

#define ROUNDS1(a, b) \
	ROUND(K+64*a, Z0, Z1, Z2, Z3); \
	ROUND(K+64*b, Z1, Z0, Z2, Z3)

#define HALF4(k, X0, Y0, X1, Y1, X2, Y2, X3, Y3) \
	ROUND(k, X0, Y0, Z2, Z3); \
	ROUND(k+QUADSIZE, X1, Y1, Z6, Z7); \
	ROUND(k+2*QUADSIZE, X2, Y2, Z10, Z11); \
	ROUND(k+3*QUADSIZE, X3, Y3, Z14, Z15)

#define ROUNDS4(a, b) \
	HALF4(K+64*a, Z0, Z1, Z4, Z5, Z8, Z9, Z12, Z13); \
	HALF4(K+64*b, Z1, Z0, Z5, Z4, Z9, Z8, Z13, Z12)

// ROTATE turns the words before the first round, UNITE turns them back after
// the last and makes the lanes L and H of the ciphertext.
#define ROTATE(X, Y) \
	VPRORD $11, X, X; \
	VPRORD $11, Y, Y

#define UNITE(X, Y, L, H) \
	VPROLD     $11, X, X; \
	VPROLD     $11, Y, Y; \
	VPUNPCKLDQ X, Y, L; \
	VPUNPCKHDQ X, Y, H

// Offsets into quad.
#define QLO  0
#define QHI  64
#define QSUM 128
#define QUAD 256

// LOADM gathers the blocks at R13 after the four pointers at ptr(R14) into the
// lanes of Z27 and Z28. AX and R8 to R10 are overwritten.
#define LOADM(ptr) \
	MOVQ        (ptr+0)(R14), AX; \
	MOVQ        (ptr+8)(R14), R8; \
	MOVQ        (ptr+16)(R14), R9; \
	MOVQ        (ptr+24)(R14), R10; \
	VMOVDQU64   (AX)(R13*1), X27; \
	VMOVDQU64   16(AX)(R13*1), X28; \
	VINSERTI32X4 $1, (R8)(R13*1), Z27, Z27; \
	VINSERTI32X4 $1, 16(R8)(R13*1), Z28, Z28; \
	VINSERTI32X4 $2, (R9)(R13*1), Z27, Z27; \
	VINSERTI32X4 $2, 16(R9)(R13*1), Z28, Z28; \
	VINSERTI32X4 $3, (R10)(R13*1), Z27, Z27; \
	VINSERTI32X4 $3, 16(R10)(R13*1), Z28, Z28

// ADDSUM adds the block at DX after pointer i of ptr(R14) to a sum of a quad,
// modulo 2^256.
#define ADDSUM(quad, ptr, i) \
	MOVQ (ptr+8*i)(R14), AX; \
	MOVQ (AX)(DX*1), R8; \
	MOVQ 8(AX)(DX*1), R9; \
	MOVQ 16(AX)(DX*1), R10; \
	MOVQ 24(AX)(DX*1), R12; \
	ADDQ R8, (quad+QSUM+32*i)(BX); \
	ADCQ R9, (quad+QSUM+32*i+8)(BX); \
	ADCQ R10, (quad+QSUM+32*i+16)(BX); \
	ADCQ R12, (quad+QSUM+32*i+24)(BX)

#define ADDSUMS(quad, ptr) \
	ADDSUM(quad, ptr, 0); \
	ADDSUM(quad, ptr, 1); \
	ADDSUM(quad, ptr, 2); \
	ADDSUM(quad, ptr, 3)

// OUT stores the chain of a quad.
#define OUT(quad, X, Y) \
	VPUNPCKLDQ Y, X, Z27; \
	VPUNPCKHDQ Y, X, Z28; \
	VMOVDQU64  Z27, (quad+QLO)(BX); \
	VMOVDQU64  Z28, (quad+QHI)(BX)

// BEGIN begins with a quad.
#define BEGIN(quad, ptr, q, X, Y) \
	LOADM(ptr); \
	NEXTM(q, Z27, Z28); \
	VMOVDQU64 (quad+QLO)(BX), Z29; \
	VMOVDQU64 (quad+QHI)(BX), Z30; \
	START(q, Z29, Z30, X, Y)

// MEANWHILE is the part of a quad's step before the cipher.
#define MEANWHILE(quad, ptr, q) \
	BESIDES(q); \
	ADDSUMS(quad, ptr); \
	LOADM(ptr); \
	NEXTM(q, Z27, Z28)

// func quadBlocks(q *quad, p *[4]*byte, n int, t *tables, c *constants)
TEXT ·quadBlocks(SB), 0, $1856-40
	MOVQ q+0(FP), BX
	MOVQ p+8(FP), R14
	MOVQ n+16(FP), CX
	MOVQ t+24(FP), AX
	MOVQ c+32(FP), SI
	LEAQ scratch-1856(SP), DI
	ADDQ $63, DI
	ANDQ $~63, DI
	VMOVDQU64 NIBBLES(AX), Z16
	VMOVDQU64 (NIBBLES+64)(AX), Z17
	CONSTANTS
	XORL DX, DX
	XORL R13, R13
	BEGIN(0, 0, 0, Z0, Z1)

quadStep:
	// The next block, or this one again after the last.
	LEAQ    32(DX), R13
	CMPQ    CX, $1
	CMOVQEQ DX, R13
	MEANWHILE(0, 0, 0)
	ROTATE(Z0, Z1)
	MOVL $3, R11

quadRounds:
	ROUNDS1(0, 1)
	ROUNDS1(2, 3)
	ROUNDS1(4, 5)
	ROUNDS1(6, 7)
	DECL R11
	JNZ  quadRounds
	ROUNDS1(7, 6)
	ROUNDS1(5, 4)
	ROUNDS1(3, 2)
	ROUNDS1(1, 0)
	UNITE(Z0, Z1, Z27, Z28)
	FINISH(0, Z27, Z28, Z0, Z1)
	MOVQ R13, DX
	DECQ CX
	JNZ  quadStep
	OUT(0, Z0, Z1)

	// The keys of a message, which may be secret, do not stay on the stack.
	VPXORD Z0, Z0, Z0
	MOVL   $28, CX

quadWipe:
	VMOVDQU64 Z0, (DI)
	ADDQ      $64, DI
	DECL      CX
	JNZ       quadWipe
	VZEROUPPER
	RET

// func fourQuadBlocks(q *[4]quad, p *[16]*byte, n int, t *tables, c *constants)
TEXT ·fourQuadBlocks(SB), 0, $7232-40
	MOVQ q+0(FP), BX
	MOVQ p+8(FP), R14
	MOVQ n+16(FP), CX
	MOVQ t+24(FP), AX
	MOVQ c+32(FP), SI
	LEAQ scratch-7232(SP), DI
	ADDQ $63, DI
	ANDQ $~63, DI
	VMOVDQU64 NIBBLES(AX), Z16
	VMOVDQU64 (NIBBLES+64)(AX), Z17
	CONSTANTS
	XORL DX, DX
	XORL R13, R13
	BEGIN(0*QUAD, 0, 0*QUADSIZE, Z0, Z1)
	BEGIN(1*QUAD, 32, 1*QUADSIZE, Z4, Z5)
	BEGIN(2*QUAD, 64, 2*QUADSIZE, Z8, Z9)
	BEGIN(3*QUAD, 96, 3*QUADSIZE, Z12, Z13)

fourStep:
	LEAQ    32(DX), R13
	CMPQ    CX, $1
	CMOVQEQ DX, R13
	MEANWHILE(0*QUAD, 0, 0*QUADSIZE)
	MEANWHILE(1*QUAD, 32, 1*QUADSIZE)
	MEANWHILE(2*QUAD, 64, 2*QUADSIZE)
	MEANWHILE(3*QUAD, 96, 3*QUADSIZE)
	ROTATE(Z0, Z1)
	ROTATE(Z4, Z5)
	ROTATE(Z8, Z9)
	ROTATE(Z12, Z13)
	MOVL $3, R11

fourRounds:
	ROUNDS4(0, 1)
	ROUNDS4(2, 3)
	ROUNDS4(4, 5)
	ROUNDS4(6, 7)
	DECL R11
	JNZ  fourRounds
	ROUNDS4(7, 6)
	ROUNDS4(5, 4)
	ROUNDS4(3, 2)
	ROUNDS4(1, 0)
	UNITE(Z0, Z1, Z27, Z28)
	FINISH(0*QUADSIZE, Z27, Z28, Z0, Z1)
	UNITE(Z4, Z5, Z27, Z28)
	FINISH(1*QUADSIZE, Z27, Z28, Z4, Z5)
	UNITE(Z8, Z9, Z27, Z28)
	FINISH(2*QUADSIZE, Z27, Z28, Z8, Z9)
	UNITE(Z12, Z13, Z27, Z28)
	FINISH(3*QUADSIZE, Z27, Z28, Z12, Z13)
	MOVQ R13, DX
	DECQ CX
	JNZ  fourStep
	OUT(0*QUAD, Z0, Z1)
	OUT(1*QUAD, Z4, Z5)
	OUT(2*QUAD, Z8, Z9)
	OUT(3*QUAD, Z12, Z13)
	VZEROUPPER
	RET

// The cipher with tables of 4 KiB in general registers, whose instructions
// take one cycle where those on vectors may take two: SI is *tables, R8 to
// R11 are the lower and R12 to R15 the upper words of the four blocks. W and
// its second byte WH, BX and DX are overwritten.
#define WORD(k, X, Y, W, WH) \
	MOVL    (k)(DI), W; \
	ADDL    X, W; \
	MOVBLZX W, DX; \
	MOVBLZX WH, BX; \
	SHRL    $16, W; \
	XORL    (SI)(DX*4), Y; \
	MOVL    1024(SI)(BX*4), BX; \
	MOVBLZX W, DX; \
	SHRL    $8, W; \
	XORL    2048(SI)(DX*4), BX; \
	XORL    3072(SI)(W*4), Y; \
	XORL    BX, Y

#define TABLEROUNDS(a, b) \
	WORD(K+64*a, R8, R12, AX, AH); \
	WORD(K+64*a+4, R9, R13, CX, CH); \
	WORD(K+64*a+8, R10, R14, AX, AH); \
	WORD(K+64*a+12, R11, R15, CX, CH); \
	WORD(K+64*b, R12, R8, AX, AH); \
	WORD(K+64*b+4, R13, R9, CX, CH); \
	WORD(K+64*b+8, R14, R10, AX, AH); \
	WORD(K+64*b+12, R15, R11, CX, CH)

// After the scratch memory of a quad, that of tableBlocks has the words to
// encrypt, the current block's address and two counters.
#define LOWER  1792
#define UPPER  1808
#define BLOCK  1824
#define BLOCKS 1832
#define ROUNDS 1840

// func tableBlocks(h, sum *words, p *byte, n int, t *tables, c *constants)
TEXT ·tableBlocks(SB), 0, $1920-48
	MOVQ h+0(FP), BX
	MOVQ p+16(FP), AX
	MOVQ n+24(FP), CX
	MOVQ c+40(FP), SI
	LEAQ scratch-1920(SP), DI
	ADDQ $63, DI
	ANDQ $~63, DI
	MOVQ AX, BLOCK(DI)
	MOVQ CX, BLOCKS(DI)
	CONSTANTS
	VMOVDQU64 (AX), X27
	VMOVDQU64 16(AX), X28
	NEXTM(0, Z27, Z28)
	VMOVDQU64 (BX), X29
	VMOVDQU64 16(BX), X30
	START(0, Z29, Z30, Z0, Z1)

tableStep:
	VMOVDQU X0, LOWER(DI)
	VMOVDQU X1, UPPER(DI)
	BESIDES(0)
	MOVQ BLOCK(DI), AX
	MOVQ sum+8(FP), BX
	MOVQ (AX), R8
	MOVQ 8(AX), R9
	MOVQ 16(AX), R10
	MOVQ 24(AX), R11
	ADDQ R8, (BX)
	ADCQ R9, 8(BX)
	ADCQ R10, 16(BX)
	ADCQ R11, 24(BX)

	// The next block, or this one again after the last.
	LEAQ    32(AX), CX
	CMPQ    BLOCKS(DI), $1
	CMOVQEQ AX, CX
	MOVQ    CX, BLOCK(DI)
	VMOVDQU64 (CX), X27
	VMOVDQU64 16(CX), X28
	NEXTM(0, Z27, Z28)

	MOVL (LOWER+0)(DI), R8
	MOVL (LOWER+4)(DI), R9
	MOVL (LOWER+8)(DI), R10
	MOVL (LOWER+12)(DI), R11
	MOVL (UPPER+0)(DI), R12
	MOVL (UPPER+4)(DI), R13
	MOVL (UPPER+8)(DI), R14
	MOVL (UPPER+12)(DI), R15
	MOVQ t+32(FP), SI
	MOVQ $3, ROUNDS(DI)

tableRounds:
	TABLEROUNDS(0, 1)
	TABLEROUNDS(2, 3)
	TABLEROUNDS(4, 5)
	TABLEROUNDS(6, 7)
	DECQ ROUNDS(DI)
	JNZ  tableRounds
	TABLEROUNDS(7, 6)
	TABLEROUNDS(5, 4)
	TABLEROUNDS(3, 2)
	TABLEROUNDS(1, 0)

	MOVQ    c+40(FP), SI
	SHLQ    $32, R8
	SHLQ    $32, R9
	SHLQ    $32, R10
	SHLQ    $32, R11
	ORQ     R12, R8
	ORQ     R13, R9
	ORQ     R14, R10
	ORQ     R15, R11
	VMOVQ   R8, X27
	VMOVQ   R10, X28
	VPINSRQ $1, R9, X27, X27
	VPINSRQ $1, R11, X28, X28
	FINISH(0, Z27, Z28, Z0, Z1)
	DECQ BLOCKS(DI)
	JNZ  tableStep

	MOVQ        h+0(FP), BX
	VPUNPCKLDQ  X1, X0, X2
	VPUNPCKHDQ  X1, X0, X3
	VMOVDQU     X2, (BX)
	VMOVDQU     X3, 16(BX)
	VZEROUPPER
	RET

// The same with the keys as Go lays them out.
#define KEYROUNDS(a, b) \
	WORD(16*a, R8, R12, AX, AH); \
	WORD(16*a+4, R9, R13, CX, CH); \
	WORD(16*a+8, R10, R14, AX, AH); \
	WORD(16*a+12, R11, R15, CX, CH); \
	WORD(16*b, R12, R8, AX, AH); \
	WORD(16*b+4, R13, R9, CX, CH); \
	WORD(16*b+8, R14, R10, AX, AH); \
	WORD(16*b+12, R15, R11, CX, CH)

// func encryptBlocks(s *words, k *keys, t *tables)
TEXT ·encryptBlocks(SB), 0, $8-24
	MOVQ s+0(FP), AX
	MOVQ k+8(FP), DI
	MOVQ t+16(FP), SI
	MOVL 0(AX), R8
	MOVL 4(AX), R12
	MOVL 8(AX), R9
	MOVL 12(AX), R13
	MOVL 16(AX), R10
	MOVL 20(AX), R14
	MOVL 24(AX), R11
	MOVL 28(AX), R15
	MOVQ $3, rounds-8(SP)

keyRounds:
	KEYROUNDS(0, 1)
	KEYROUNDS(2, 3)
	KEYROUNDS(4, 5)
	KEYROUNDS(6, 7)
	DECQ rounds-8(SP)
	JNZ  keyRounds
	KEYROUNDS(7, 6)
	KEYROUNDS(5, 4)
	KEYROUNDS(3, 2)
	KEYROUNDS(1, 0)
	MOVQ s+0(FP), AX
	MOVL R12, 0(AX)
	MOVL R8, 4(AX)
	MOVL R13, 8(AX)
	MOVL R9, 12(AX)
	MOVL R14, 16(AX)
	MOVL R10, 20(AX)
	MOVL R15, 24(AX)
	MOVL R11, 28(AX)
	RET
