import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import org.bouncycastle.asn1.cryptopro.ECGOST3410NamedCurves;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.agreement.ECVKOAgreement;
import org.bouncycastle.crypto.digests.GOST3411Digest;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPrivateKeyParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.params.ParametersWithRandom;
import org.bouncycastle.crypto.params.ParametersWithUKM;
import org.bouncycastle.crypto.signers.ECGOST3410Signer;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.math.ec.ECCurve;
import org.bouncycastle.math.ec.ECPoint;
import org.bouncycastle.util.encoders.Hex;

/**
 * Answers questions about GOST R 34.10-2001 with BouncyCastle, one a line, all
 * arguments but the curve in hexadecimal:
 *
 * <pre>
 * verify CURVE X Y DIGEST SIGNATURE   true, false
 * sign CURVE D DIGEST                 the signature, s then r
 * vko CURVE D X Y UKM                 the agreed 32 bytes
 * jca SPKI MESSAGE SIGNATURE          true, false: Signature GOST3411WITHECGOST3410
 * </pre>
 *
 * An exception answers "error" and its text.
 */
public class GostPeer {
    static final SecureRandom RANDOM = new SecureRandom();

    static ECDomainParameters domain(String name) {
        if (name.equals("test")) {
            // RFC 5832 7.1
            BigInteger p = new BigInteger("8000000000000000000000000000000000000000000000000000000000000431", 16);
            BigInteger n = new BigInteger("8000000000000000000000000000000150FE8A1892976154C59CFC193ACCF5B3", 16);
            ECCurve curve = new ECCurve.Fp(p, BigInteger.valueOf(7),
                    new BigInteger("5FBFF498AA938CE739B8E022FBAFEF40563F6E6A3472FC2A514C0CE9DAE23B7E", 16), n, BigInteger.ONE);
            ECPoint g = curve.createPoint(BigInteger.valueOf(2),
                    new BigInteger("08E2A8A0E65147D4BD6316030E16D19C85C97F0A9CA267122B96ABBCEA7E8FC8", 16));
            return new ECDomainParameters(curve, g, n);
        }
        X9ECParameters x9 = ECGOST3410NamedCurves.getByNameX9("GostR3410-2001-" + name);
        return new ECDomainParameters(x9.getCurve(), x9.getG(), x9.getN(), x9.getH());
    }

    static BigInteger number(String hex) {
        return new BigInteger(1, Hex.decode(hex));
    }

    static ECPublicKeyParameters publicKey(String curve, String x, String y) {
        ECDomainParameters d = domain(curve);
        return new ECPublicKeyParameters(d.getCurve().createPoint(number(x), number(y)), d);
    }

    static byte[] fixed(BigInteger v) {
        byte[] out = new byte[32];
        byte[] b = v.toByteArray();
        int skip = Math.max(0, b.length - 32);
        System.arraycopy(b, skip, out, 32 - (b.length - skip), b.length - skip);
        return out;
    }

    static String answer(String[] q) throws Exception {
        switch (q[0]) {
            case "verify": {
                ECPublicKeyParameters key = publicKey(q[1], q[2], q[3]);
                byte[] sig = q.length > 5 ? Hex.decode(q[5]) : new byte[0];
                if (sig.length != 64) {
                    return "error length";
                }
                ECGOST3410Signer signer = new ECGOST3410Signer();
                signer.init(false, key);
                BigInteger s = number(q[5].substring(0, 64));
                BigInteger r = number(q[5].substring(64));
                return Boolean.toString(signer.verifySignature(Hex.decode(q[4]), r, s));
            }
            case "sign": {
                ECGOST3410Signer signer = new ECGOST3410Signer();
                signer.init(true, new ParametersWithRandom(new ECPrivateKeyParameters(number(q[2]), domain(q[1])), RANDOM));
                BigInteger[] rs = signer.generateSignature(Hex.decode(q[3]));
                return Hex.toHexString(fixed(rs[1])) + Hex.toHexString(fixed(rs[0]));
            }
            case "vko": {
                ECVKOAgreement agreement = new ECVKOAgreement(new GOST3411Digest());
                agreement.init(new ParametersWithUKM(new ECPrivateKeyParameters(number(q[2]), domain(q[1])), Hex.decode(q[5])));
                return Hex.toHexString(agreement.calculateAgreement(publicKey(q[1], q[3], q[4])));
            }
            case "jca": {
                PublicKey key = KeyFactory.getInstance("ECGOST3410", "BC").generatePublic(new X509EncodedKeySpec(Hex.decode(q[1])));
                Signature signature = Signature.getInstance("GOST3411WITHECGOST3410", "BC");
                signature.initVerify(key);
                signature.update(Hex.decode(q[2]));
                return Boolean.toString(signature.verify(Hex.decode(q[3])));
            }
            default:
                return "error unknown question";
        }
    }

    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String reply;
            try {
                reply = answer(line.split(" "));
            } catch (Exception e) {
                reply = "error " + e;
            }
            out.println(reply.replace('\n', ' ').replace('\r', ' '));
            out.flush();
        }
    }
}
