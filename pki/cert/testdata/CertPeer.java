import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.AuthorityInformationAccess;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.X509ObjectIdentifiers;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.encoders.Hex;

/**
 * Answers questions about names and certificates with BouncyCastle, one line
 * each: "ok" and hex fields, or "error" and a text.
 */
public class CertPeer {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                answer = "ok " + answer(line.split(" "));
            } catch (Exception e) {
                answer = "error " + String.valueOf(e).replace('\n', ' ').replace('\r', ' ');
            }
            out.println(answer);
        }
    }

    static String answer(String[] words) throws Exception {
        switch (words[0]) {
            case "print":
                return text(BCStyle.INSTANCE.toString(X500Name.getInstance(Hex.decode(words[1]))));
            case "parse":
                String name = words.length > 1 ? new String(Hex.decode(words[1]), StandardCharsets.UTF_8) : "";
                return Hex.toHexString(new X500Name(BCStyle.INSTANCE, name).getEncoded());
            case "issue":
                return issue(words[1], words[2], words[3]);
            case "path":
                return path(words);
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    static String text(String s) {
        return Hex.toHexString(s.getBytes(StandardCharsets.UTF_8));
    }

    /** Makes root, CA and user, and returns them. */
    static String issue(String algorithm, String parameter, String signature) throws Exception {
        KeyPairGenerator g = KeyPairGenerator.getInstance(algorithm, "BC");
        if (algorithm.equals("RSA")) {
            g.initialize(Integer.parseInt(parameter), new SecureRandom());
        } else {
            g.initialize(new ECGenParameterSpec(parameter), new SecureRandom());
        }
        KeyPair root = g.generateKeyPair(), ca = g.generateKeyPair(), user = g.generateKeyPair();
        X500Name rootName = new X500Name("C=UZ,O=Ильдиз,CN=Root"), caName = new X500Name("CN=CA,O=Марказ");
        X500Name userName = new X500Name("CN=IVANOV IVAN,UID=400000000,1.2.860.3.16.1.2=30000000000000");
        Date from = new Date(1767225600000L), to = new Date(1798761600000L); // the year 2026
        JcaX509ExtensionUtils utils = new JcaX509ExtensionUtils();

        JcaX509v3CertificateBuilder b = new JcaX509v3CertificateBuilder(rootName, BigInteger.ONE, from, to, rootName, root.getPublic());
        b.addExtension(Extension.basicConstraints, true, new BasicConstraints(true));
        b.addExtension(Extension.subjectKeyIdentifier, false, utils.createSubjectKeyIdentifier(root.getPublic()));
        X509Certificate rootCert = sign(b, root, signature);

        b = new JcaX509v3CertificateBuilder(rootName, BigInteger.valueOf(-255), from, to, caName, ca.getPublic());
        b.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
        b.addExtension(Extension.keyUsage, false, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
        b.addExtension(Extension.subjectKeyIdentifier, false, utils.createSubjectKeyIdentifier(ca.getPublic()));
        b.addExtension(Extension.authorityKeyIdentifier, false, utils.createAuthorityKeyIdentifier(rootCert));
        X509Certificate caCert = sign(b, root, signature);

        b = new JcaX509v3CertificateBuilder(caName, new BigInteger("cfd4becd127e5063", 16), from, to, userName, user.getPublic());
        b.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature | KeyUsage.decipherOnly));
        b.addExtension(Extension.extendedKeyUsage, true, new ExtendedKeyUsage(KeyPurposeId.id_kp_emailProtection));
        b.addExtension(Extension.subjectAlternativeName, false, new GeneralNames(new GeneralName(GeneralName.dNSName, "e-imzo.uz")));
        b.addExtension(Extension.authorityInfoAccess, false, new AuthorityInformationAccess(
            X509ObjectIdentifiers.ocspAccessMethod, new GeneralName(GeneralName.uniformResourceIdentifier, "http://e-imzo.uz/cams/ocsp")));
        b.addExtension(Extension.authorityKeyIdentifier, false, utils.createAuthorityKeyIdentifier(ca.getPublic()));
        X509Certificate userCert = sign(b, ca, signature);
        return hex(userCert) + " " + hex(caCert) + " " + hex(rootCert);
    }

    static X509Certificate sign(JcaX509v3CertificateBuilder b, KeyPair issuer, String signature) throws Exception {
        return new JcaX509CertificateConverter().setProvider("BC").getCertificate(
            b.build(new JcaContentSignerBuilder(signature).setProvider("BC").build(issuer.getPrivate())));
    }

    static String hex(X509Certificate c) throws Exception {
        return Hex.toHexString(c.getEncoded());
    }

    /** Validates "path <ms since epoch> <leaf> ... <anchor>" by RFC 5280. */
    static String path(String[] words) throws Exception {
        CertificateFactory f = CertificateFactory.getInstance("X.509", "BC");
        List<X509Certificate> certs = new ArrayList<>();
        for (int i = 2; i < words.length; i++) {
            certs.add((X509Certificate) f.generateCertificate(new ByteArrayInputStream(Hex.decode(words[i]))));
        }
        X509Certificate anchor = certs.remove(certs.size() - 1);
        CertPath p = f.generateCertPath(certs);
        PKIXParameters parameters = new PKIXParameters(Collections.singleton(new TrustAnchor(anchor, null)));
        parameters.setRevocationEnabled(false);
        parameters.setDate(new Date(Long.parseLong(words[1])));
        CertPathValidator.getInstance("PKIX", "BC").validate(p, parameters);
        return "valid";
    }
}
